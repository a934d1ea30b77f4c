from dataclasses import replace

import pytest

from dtinterp.demonstrations.quality import SamplerQuality
from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria
from dtinterp.equivalence.behaviour.abstraction_error import AbstractionOutcome
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.statistics import Interval
from dtinterp.report.results import ScoredDictionary, StudyResults
from dtinterp.report.tables import (
    abstraction_table,
    agreement_table,
    certificate_table,
    demonstration_table,
    dictionary_table,
    in_words,
)
from tests.dtinterp.report.conftest import piece


def test_a_dictionarys_width_stands_beside_its_distinct_inputs_and_their_rank(results: StudyResults) -> None:
    scored = [each.value for each in results.of(ScoredDictionary)]
    table = dictionary_table(scored)
    columns = list(table.columns)
    assert columns[columns.index("width") :][:3] == ["width", "distinct inputs", "rank"]
    for row, each in zip(table.itertuples(index=False), scored, strict=True):
        assert row[columns.index("width")] == each.dictionary.width
        assert row[columns.index("L0")] == each.score.l0
        assert row[columns.index("distinct inputs")] == each.score.n_distinct


def test_a_dictionary_bears_the_mark_of_the_gate(results: StudyResults) -> None:
    score = results.of(ScoredDictionary)[0].value.score
    for failures, unjudged, word in (((), (), "passes"), (("L0",), ("return",), "fails"), ((), ("x",), "not judged")):
        verdict = Acceptance(AcceptanceCriteria(), failures, unjudged)
        scored = replace(results.of(ScoredDictionary)[0].value, score=replace(score, verdict=verdict))
        assert dictionary_table([scored])["gate"].tolist() == [word]


def test_a_sampler_without_episodes_has_a_row_of_dashes(results: StudyResults) -> None:
    judged = replace(results.demonstrated, by_sampler={"greedy": SamplerQuality(0), **results.demonstrated.by_sampler})
    table = demonstration_table(judged)
    assert table["sampler"].tolist() == ["greedy", "temperature=1", "temperature=5"]
    row = piece("{{ grid(frame) }}", frame=table).split("<td>greedy</td>")[1].split("</tr>")[0]
    assert "nan" not in row
    assert row.count("–") == len(table.columns) - 2


def test_every_comparison_shows_its_controls(report: EquivalenceReport) -> None:
    table = agreement_table(report)
    assert table["partition of the world"].tolist() == [world.name for world in report.worlds]
    for column in ("ARI (random classes)", "ARI (untrained, as many classes)", "ARI (untrained, same ε)"):
        assert column in table.columns


def test_certificates_count_every_observation_once(report: EquivalenceReport) -> None:
    table = certificate_table(report)
    assert sum(table["observations"].tolist()) == len(report.chosen.frame_id)
    assert table["class"].tolist() == list(range(report.partition.n_classes))
    assert max(table["largest divergence (bits)"].tolist()) == pytest.approx(
        max(each.maximum for each in report.totals)
    )


def test_intervals_are_written_out_in_words(report: EquivalenceReport) -> None:
    trained = report.comparisons[0].trained
    words = in_words(agreement_table(report))
    assert words.loc[0, "ARI (trained)"] == str(trained.ari)
    assert words.loc[0, "p (Holm)"] == report.comparisons[0].p_holm


def test_an_abstraction_says_what_was_set_and_what_the_other_slots_showed() -> None:
    error, none = Interval(0.25, 0.2, 0.3, 40), Interval(0.0, 0.0, 0.1, 40)
    outcome = AbstractionOutcome("interchangeable", 3, "one slot", "drawn members", 40, error, none, none, 0.5)
    row = abstraction_table([outcome]).iloc[0]
    assert (row["set in"], row["other slots"], row["number"]) == ("one slot", "drawn members", 3)
    assert (row["error, mean bits"], row["effect, mean bits"]) == (error, 0.5)
    assert abstraction_table([]).empty
