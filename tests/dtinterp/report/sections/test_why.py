from dataclasses import replace
from html import unescape

import pytest

from dtinterp.equivalence.explain.explanations import ExplainedClasses, ExplainedPair
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.statistics import Interval
from dtinterp.report.results import Result, ScoredDictionary, StudyResults
from dtinterp.report.sections.why import prediction_table
from tests.dtinterp.report.conftest import only, planted, section_of, without


@pytest.fixture
def pair(results: StudyResults) -> Result[ExplainedPair]:
    return results.of(ExplainedPair)[0]


@pytest.fixture
def explained(results: StudyResults) -> ExplainedClasses:
    return only(results, ExplainedClasses)


def with_found(results: StudyResults, pair: Result[ExplainedPair], **changes) -> StudyResults:
    return planted(results, replace(pair.value, found=replace(pair.value.found, **changes)))


def test_a_pair_is_shown_with_the_features_that_keep_it_apart(results, pair):
    section = section_of("why", results)
    assert f"<frame {pair.value.first}><frame {pair.value.second}>" in section
    assert pair.value.found.features
    for feature in pair.value.found.features:
        assert f"<b>{feature}</b>" in section
    assert "smaller ones not all tried" not in section


def test_what_was_not_tried_is_said(results, pair):
    assert "smaller ones not all tried" in section_of("why", with_found(results, pair, is_smallest=False))


def test_a_pair_of_before_has_two_controls_and_stands_all_the_same(results, pair):
    tried = {name: Interval(0.25, 0.2, 0.3, 100) for name in ("random_directions", "random_features")}
    harder = dict.fromkeys(("random_differences", "random_features_as_far"), Interval(0.5, 0.4, 0.6, 100))
    section = section_of("why", with_found(results, pair, **tried, **harder))
    before = section_of("why", with_found(results, pair, **tried, **dict.fromkeys(harder)))
    assert (section.count("50.0%"), before.count("50.0%")) == (2, 0)
    assert before.count('<td class="right">–</td>') == section.count('<td class="right">–</td>') + 2


@pytest.mark.parametrize(("features", "said"), [(None, "none is enough"), ((), "none needed")])
def test_a_pair_without_such_a_set_says_so(results, pair, features, said):
    changed = with_found(results, pair, features=features, random_directions=None, random_features=None)
    section = section_of("why", changed)
    assert f">{said}<" in section
    assert '<td class="right">–</td>' in section


def test_the_verdict_stands_beside_what_features_say(results, pair):
    verdict = results.gate_of(pair.value.dictionary, "hook_obs_embed")
    section = unescape(section_of("why", results))
    assert section.count(f"<strong>{pair.value.dictionary}</strong>") == 3  # pairs, classes, what features foretell
    assert section.count(f"gate: {verdict}</small>") == 3
    nowhere = section_of("why", without(results, ScoredDictionary, FeatureTable))
    assert nowhere.count("gate: not judged: not among the dictionaries of this study") == 3


def test_each_class_is_shown_with_what_its_members_share(results, explained):
    section = section_of("why", results)
    report = results.equivalence.value
    for each in explained.classes:
        first = int(report.chosen.frame_id[report.partition.members(each.label)[0]])
        assert f'<div class="members"><frame {first}>' in section
    assert sorted((each.n_members for each in explained.classes), reverse=True) == [6, 3, 3]


def test_distances_are_ranked_against_chance(explained):
    table = prediction_table(explained)
    assert len(table) == len(explained.predictions.distances)
    assert table["AUROC"].tolist() == [each.auroc for each in explained.predictions.distances]


def test_either_half_stands_without_the_other(results):
    assert "foretell" not in section_of("why", without(results, ExplainedClasses))
    assert "random directions" not in section_of("why", without(results, ExplainedPair))
    assert section_of("why", without(results, ExplainedPair, ExplainedClasses)) == ""
