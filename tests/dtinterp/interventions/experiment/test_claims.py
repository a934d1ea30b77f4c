from collections.abc import Callable

import pytest

from dtinterp.foundation.statistics import wilson
from dtinterp.interventions.experiment.arms import RANDOM, UNTRAINED
from dtinterp.interventions.experiment.result import ExperimentResult
from dtinterp.interventions.experiment.specification import RefutedIf

By = Callable[..., ExperimentResult]


def test_the_effect_is_the_mean_size_of_the_change_at_the_last_dose(by_hand: By, weak) -> None:
    difference, flip = by_hand(weak).claims
    assert difference.effect.estimate == 3.5
    assert difference.effect.low < 3.5 < difference.effect.high
    assert flip.effect == wilson(3, 4)
    assert difference.largest_control == 0.5


def test_nineteen_weaker_controls_are_beaten_at_five_percent_and_holm_counts_the_claims(by_hand: By, weak) -> None:
    difference, flip = by_hand(*[weak] * 19).claims
    assert difference.p_value == pytest.approx(0.05)
    assert difference.adjusted == flip.adjusted == pytest.approx(0.1)
    assert by_hand(*[weak] * 39).claims[0].adjusted == pytest.approx(0.05)


def test_one_control_that_does_as_much_ends_the_claim(by_hand: By, weak, strong) -> None:
    difference, flip = by_hand(*[weak] * 38, strong).claims
    assert not difference.is_beyond_controls
    assert difference.reached_by == ("matched features: 38",)
    assert difference.p_value == pytest.approx(2 / 40)
    assert flip.is_beyond_controls


def test_matched_features_are_few_and_give_no_chance_beside_random_directions(by_hand: By, weak, strong) -> None:
    random = [(RANDOM, weak[1])] * 99
    assert by_hand(*random, weak).claims[0].p_value == pytest.approx(0.01)
    reached = by_hand(*random, strong).claims[0]
    assert (reached.p_value, reached.is_beyond_controls) == (pytest.approx(0.01), False)


def test_a_wrong_sign_counts_only_where_it_moves_windows_the_same_way(by_hand: By, mirrored) -> None:
    assert by_hand(mirrored).claims[0].is_beyond_controls
    same_way = (mirrored[0], [[4.0, -4.0, 4.0, -2.0], [0.0] * 4])
    assert not by_hand(same_way).claims[0].is_beyond_controls


def test_flips_of_an_untrained_model_count_for_nothing_and_its_logits_do(by_hand: By) -> None:
    difference, flip = by_hand((UNTRAINED, [[9.0] * 4, [1.0] * 4])).claims
    assert difference.reached_by == ("untrained model: 0",)
    assert flip.is_beyond_controls


def test_without_random_controls_nothing_is_significant(by_hand: By, mirrored) -> None:
    assert by_hand(mirrored).claims[0].p_value == 1.0


def test_every_rule_that_is_met_is_told(by_hand: By, weak, strong) -> None:
    assert by_hand(*[weak] * 39).refuted_by == ()
    reached = by_hand(*[weak] * 39, strong).refuted_by
    assert [sentence.partition(":")[0] for sentence in reached] == ["logit(left) − logit(right)"]
    assert "1 of 40 controls moves it as far, the first matched features: 39" in reached[0]
    assert "p = 1.000 by Holm's method, above 0.05" in by_hand(weak, rules=RefutedIf()).refuted_by[0]
    few = by_hand(*[weak] * 39, rules=RefutedIf(flipped_below=0.9)).refuted_by
    assert few == ("decision flipped in 0.750 [0.301, 0.954] n=4, less than 0.9.",)
    lenient = RefutedIf(control_reaches=False, p_above=1.0)
    assert by_hand(weak, strong, rules=lenient).refuted_by == ()
