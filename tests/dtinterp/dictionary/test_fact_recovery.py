"""Facts that features tell, in rows where they were planted."""

import pytest
import torch

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fact_recovery import recovered_facts
from dtinterp.dictionary.kinds import L1
from dtinterp.foundation.errors import UserError

N, D = 400, 6
NAMES = ("colour", "absent", "constant", "clock")


def _facts(seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    columns = [torch.randint(n, (N,), generator=rng) for n in (3, 2, 1, 50)]
    return torch.stack(columns, dim=1)


def _rows(facts):
    """Axes 0 to 2 are the colours, one-hot; the others are noise."""
    colour = torch.nn.functional.one_hot(facts[:, 0], 3).float()
    return torch.cat([colour, torch.randn(N, D - 3, generator=torch.Generator().manual_seed(1))], dim=1)


def _axes(n: int) -> Dictionary:
    return Dictionary(
        W_enc=torch.eye(D)[:, :n].contiguous(),
        b_enc=torch.full((n,), -0.5),
        W_dec=torch.eye(D)[:n],
        b_dec=torch.zeros(D),
        kind=L1(1.0),
        scale=torch.tensor(1.0),
        site="here",
        name="axes",
    )


def _found(dictionary, facts=None, is_measured=None):
    facts = _facts() if facts is None else facts
    is_measured = torch.arange(N) % 2 == 0 if is_measured is None else is_measured
    return recovered_facts(
        dictionary,
        _rows(facts),
        facts,
        names=NAMES,
        is_measured=is_measured,
        generator=torch.Generator().manual_seed(2),
    )


def test_a_fact_with_a_feature_for_each_value_is_recovered_and_another_is_not():
    found = _found(_axes(6))
    colours = [each for each in found.values if each.fact == "colour"]
    assert [(each.value, each.feature, each.f1) for each in colours] == [(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]
    assert all(each.f1 < 0.9 for each in found.values if each.fact == "absent")
    assert found.coverage == pytest.approx(3 / 5)
    assert found.uniqueness == pytest.approx(1.0)
    assert found.n_rows == N // 2


def test_shuffled_truth_is_told_no_better_than_by_the_base_rate():
    for each in _found(_axes(6)).values:
        assert each.shuffled < each.always + 0.1


def test_precision_and_recall_are_what_a_slow_loop_counts():
    facts = _facts()
    dictionary, rows = _axes(4), _rows(facts)
    each = next(each for each in _found(dictionary, facts).values if each.fact == "absent")
    fired = hits = true = 0
    for row in range(0, N, 2):
        fires, holds = float(rows[row, each.feature]) > 0.5, int(facts[row, 1]) == each.value
        fired, true, hits = fired + fires, true + holds, hits + (fires and holds)
    assert each.precision == pytest.approx(hits / fired)
    assert each.recall == pytest.approx(hits / true)
    assert each.f1 == pytest.approx(2 * hits / (fired + true))
    assert each.always == pytest.approx(2 * true / (N / 2 + true))


def test_facts_that_never_vary_or_have_no_named_values_are_left_out():
    assert {each.fact for each in _found(_axes(2)).values} == {"colour", "absent"}


def test_a_value_that_comes_with_another_shares_its_feature():
    facts = _facts()
    facts[:, 1] = (facts[:, 0] == 0).long()
    met = _found(_axes(3), facts)
    assert met.coverage == pytest.approx(4 / 5)
    assert met.uniqueness == pytest.approx(4 / 3)


def test_one_side_without_rows_is_refused():
    with pytest.raises(UserError, match="400 of 400 rows are measured, expected some and not all"):
        _found(_axes(2), is_measured=torch.ones(N, dtype=torch.bool))
