from dataclasses import replace
from html import unescape

from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison
from dtinterp.interventions.replacements.linear_mlp import FeatureExcess
from dtinterp.report.results import StudyResults
from environments.vocabulary import ACTIONS
from tests.dtinterp.report.conftest import only, planted, section_of, without


def test_every_dictionary_is_named_in_every_example(results: StudyResults) -> None:
    comparison = only(results, DictionaryComparison)
    section = section_of("side-by-side", results)
    for example in comparison.examples:
        part = section[section.index(f"ends at step {example.last_step}<") :].split("<h3>")[0]
        assert all(f">{name}<" in part for name in comparison.name)
        assert example.part in part
        assert ACTIONS[example.instead] in part


def test_the_verdict_stands_beside_every_dictionary_that_saw_something(results: StudyResults) -> None:
    comparison = only(results, DictionaryComparison)
    section = unescape(section_of("side-by-side", results))
    for name, site in zip(comparison.name, comparison.site, strict=True):
        marks = section.count(f"gate: {results.gate_of(name, site)}")
        assert marks >= len(comparison.examples) + 1, name  # in each example, and where its worst rows are


def test_parts_stand_with_their_share(results: StudyResults) -> None:
    most = max(only(results, DictionaryComparison).parts, key=lambda each: each.share.estimate)
    assert f"<td>{most.part}</td>" in section_of("side-by-side", results)


def test_the_worst_rows_open_as_strips_with_their_frame_named(results: StudyResults) -> None:
    comparison = only(results, DictionaryComparison)
    frame_id = results.demonstrations.value.frame_id[comparison.step].long()
    section = section_of("side-by-side", results)
    for place in range(len(comparison.name)):
        for row in comparison.errors(place).worst(frame_id, 3).tolist():
            assert f"frame {int(frame_id[row])}, error" in section


def test_what_is_largest_by_chance_stands_beside_each_difference(results: StudyResults) -> None:
    comparison = only(results, DictionaryComparison)
    interval = Interval(0.5, 0.4, 0.6, 40)
    cost = replace(comparison.linear[0], features=(FeatureExcess(0, interval, interval, interval),))
    for by_chance, shown in (((0.1, 0.25), "<td>up to 0.250</td>"), ((), "<td>–</td>")):
        held = replace(comparison, linear=(replace(cost, by_chance=by_chance),))
        assert shown in section_of("side-by-side", planted(results, held))


def test_a_study_without_comparison_says_so(results: StudyResults) -> None:
    assert "not compared" in section_of("side-by-side", without(results, DictionaryComparison))
