from dataclasses import replace
from html import unescape

import pytest

from dtinterp.equivalence.explain.storage import ExplainedClasses, ExplainedPair
from dtinterp.foundation.statistics import Interval
from dtinterp.report.html import element
from dtinterp.report.results import Sourced, StudyResults
from dtinterp.report.sections.why import prediction_table, why_section


@pytest.fixture
def pair(results: StudyResults) -> Sourced[ExplainedPair]:
    return results.pairs[0]


@pytest.fixture
def explained(results: StudyResults) -> ExplainedClasses:
    assert results.explained is not None
    return results.explained.value


def draw(frame: int):
    return element("i", str(frame))


def with_found(results: StudyResults, pair: Sourced[ExplainedPair], **changes) -> StudyResults:
    found = replace(pair.value.found, **changes)
    return replace(results, pairs=(replace(pair, value=replace(pair.value, found=found)),))


def test_a_pair_is_shown_with_the_features_that_keep_it_apart(results, pair):
    section = why_section(results, draw)
    assert f"<i>{pair.value.first}</i><i>{pair.value.second}</i>" in section
    assert pair.value.found.features
    for feature in pair.value.found.features:
        assert f"<b>{feature}</b>" in section
    assert "smaller ones not all tried" not in section


def test_what_was_not_tried_is_said(results, pair):
    assert "smaller ones not all tried" in why_section(with_found(results, pair, is_smallest=False), draw)


def test_a_pair_of_before_has_two_controls_and_stands_all_the_same(results, pair):
    tried = {name: Interval(0.25, 0.2, 0.3, 100) for name in ("random_directions", "random_features")}
    harder = dict.fromkeys(("random_differences", "random_features_as_far"), Interval(0.5, 0.4, 0.6, 100))
    section = why_section(with_found(results, pair, **tried, **harder), draw)
    before = why_section(with_found(results, pair, **tried, **dict.fromkeys(harder)), draw)
    assert (section.count("50.0%"), before.count("50.0%")) == (2, 0)
    assert before.count("<td>–</td>") == section.count("<td>–</td>") + 2


@pytest.mark.parametrize(("features", "said"), [(None, "none is enough"), ((), "none needed")])
def test_a_pair_without_such_a_set_says_so(results, pair, features, said):
    changed = with_found(results, pair, features=features, random_directions=None, random_features=None)
    section = why_section(changed, draw)
    assert f">{said}<" in section
    assert "<td>–</td>" in section


def test_the_verdict_stands_beside_what_features_say(results, pair):
    verdict = results.gate_of(pair.value.dictionary, "hook_obs_embed")
    section = unescape(why_section(results, draw))
    assert section.count(f"<strong>{pair.value.dictionary}</strong>") == 3  # pairs, classes, what features foretell
    assert section.count(f"gate: {verdict}</small>") == 3
    nowhere = why_section(replace(results, dictionaries=(), features=()), draw)
    assert nowhere.count("gate: not judged: not among the dictionaries of this study") == 3


def test_each_class_is_shown_with_what_its_members_share(results, explained):
    section = why_section(results, draw)
    report = results.equivalence.value
    for each in explained.classes:
        first = int(report.chosen.frame_id[report.partition.members(each.label)[0]])
        assert f'<div class="members"><i>{first}</i>' in section
    assert sorted((each.n_members for each in explained.classes), reverse=True) == [6, 3, 3]


def test_distances_are_ranked_against_chance(explained):
    table = prediction_table(explained)
    assert len(table) == len(explained.predictions.distances)
    assert table["AUROC"].tolist() == [each.auroc for each in explained.predictions.distances]


def test_either_half_stands_without_the_other(results):
    assert "foretell" not in why_section(replace(results, explained=None), draw)
    assert "random directions" not in why_section(replace(results, pairs=()), draw)
    assert why_section(replace(results, pairs=(), explained=None), draw) == ""
