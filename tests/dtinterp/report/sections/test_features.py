from dataclasses import replace
from html import unescape

import torch

from dtinterp.dictionary.evaluation.acceptance import Acceptance, AcceptanceCriteria
from dtinterp.features.labels.table import VERDICTS, LabelStudy
from dtinterp.features.table import FeatureTable
from dtinterp.report.results import ScoredDictionary, StudyResults
from dtinterp.report.sections.features import label_table
from tests.dtinterp.report.conftest import changed, section_of


def _excess(table: FeatureTable) -> list[float]:
    best = [max(abs(value) for value in row) for row in table.alignment.correlation.tolist()]
    return [value - control for value, control in zip(best, table.alignment.control.tolist(), strict=True)]


def test_the_features_shown_beat_their_own_control_most(results: StudyResults) -> None:
    table = results.of(FeatureTable)[0].value
    chosen = table.telling(5).tolist()
    excess = _excess(table)
    alive = [feature for feature in range(table.n_features) if table.density[feature] > 0]
    rest = [excess[feature] for feature in alive if feature not in chosen]
    assert min(excess[feature] for feature in chosen) >= max(rest) - 1e-6
    assert [excess[feature] for feature in chosen] == sorted((excess[feature] for feature in chosen), reverse=True)


def test_dead_features_are_never_shown(results: StudyResults) -> None:
    table = results.of(FeatureTable)[0].value
    dead = replace(table, density=torch.zeros_like(table.density))
    assert len(dead.telling(5)) == 0


def test_features_of_a_dictionary_that_may_have_memorised_carry_a_warning(results: StudyResults) -> None:
    assert "may be mere memory" in section_of("features", results)


def test_a_card_shows_top_frames_and_the_fact_beside_its_control(results: StudyResults) -> None:
    table = results.of(FeatureTable)[0].value
    feature = int(table.telling(1)[0])
    section = section_of("features", results)
    card = section[section.index(f"Feature {feature}<") :].split("</article>")[0]
    assert f"<frame {int(table.top.frame[feature, 0])}>" in card
    assert table.alignment.fact_values[int(table.alignment.best[feature])].plain_words in card
    assert f"(control {float(table.alignment.control[feature]):.2f})" in card


def test_the_verdict_stands_beside_cards_and_labels(results: StudyResults) -> None:
    table = results.of(FeatureTable)[0].value
    verdict = results.gate_of(table.name, table.site)
    assert not verdict.startswith("passes")
    section = unescape(section_of("features", results))
    assert section.count(f"gate: {verdict}</small>") == 2  # once in the table of labels, once above the cards
    passing = changed(
        results,
        ScoredDictionary,
        lambda each: replace(each, score=replace(each.score, verdict=Acceptance(AcceptanceCriteria(), (), ()))),
    )
    assert section_of("features", passing).count('<small class="below">gate: passes</small>') == 2


def test_the_labels_stand_beside_both_controls(results: StudyResults) -> None:
    study = results.of(LabelStudy)[0].value
    (row,) = label_table([study]).to_dict("records")
    assert row["good (of judged)"] == study.labels.share
    assert row["good (shuffled)"] == study.labels.shuffled_share
    assert row["good (untrained)"] == study.untrained.share
    assert sum(row[verdict] for verdict in VERDICTS) == len(study.labels.words)


def test_a_label_is_told_only_where_it_is_good(results: StudyResults) -> None:
    labels = results.of(LabelStudy)[0].value.labels
    for feature, verdict in enumerate(labels.verdict.tolist()):
        told = results.label_of(labels.name, labels.site, feature)
        assert told == (labels.words[feature] if VERDICTS[verdict] == "good label" else "")
    assert results.label_of("nobody's", labels.site, 0) == ""
