from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.catalogue import OpenStudy, open_study, studies
from app.live import N_DRAWS, N_SETS, Question, answer, decisions
from app.shelf import shelve
from dtinterp.commands.equivalence.explain_pair import PairPlaces, explain_pair
from dtinterp.equivalence.explain.decisions import EXCHANGED, decide
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.observations import ExplainPairConfig
from dtinterp.foundation.seeding import generator


@pytest.fixture(scope="module")
def opened(small_study: Path) -> OpenStudy:
    return open_study(studies(shelve([small_study]))["novice"])


def test_what_is_found_live_is_what_the_command_finds_with_the_same_settings(opened, small_study, tmp_path):
    first, second = opened.frames[0], opened.frames[2]
    found = answer(opened, Question(first, second, "topk-512-k4", 0.01)).explanation
    search = PairConfig(epsilon=0.01, n_sets=N_SETS, n_draws=N_DRAWS)
    places = PairPlaces(
        small_study / "dictionaries" / "topk-512-k4",
        small_study / "models" / "novice",
        small_study / "demonstrations" / "walks",
        small_study / "equivalence" / "novice",
    )
    artefact = explain_pair(ExplainPairConfig((first, second), search), places, tmp_path / "pair")
    written = artefact.manifest.metrics
    assert written["divergence"] == pytest.approx(found.divergence)
    assert written["features"] == list(found.features or ())
    assert written["is_smallest"] == found.is_smallest


def test_a_search_is_made_once(opened):
    question = Question(opened.frames[0], opened.frames[2], "topk-512-k4", 0.01)
    assert answer(opened, question) is answer(opened, question)


def test_another_dictionary_of_the_same_name_is_searched_anew(opened):
    question = Question(opened.frames[0], opened.frames[2], "topk-512-k4", 0.01)
    before, fitted = answer(opened, question), opened.dictionaries["topk-512-k4"]
    silent = replace(fitted, b_enc=torch.full_like(fitted.b_enc, -1e6))
    again = replace(opened, digest="of another dictionary", dictionaries={fitted.name: silent})
    assert before.explanation.differing
    assert answer(again, question).explanation.differing == ()


def test_where_no_set_is_enough_all_differing_features_are_exchanged(opened):
    question = Question(opened.frames[0], opened.frames[2], "topk-512-k4", 0.0)
    found = answer(opened, question)
    assert found.explanation.features is None
    shown = {row.name: row for row in decisions(opened, question, 0)}
    expected = decide(
        found.pair,
        opened.dictionaries["topk-512-k4"],
        found.explanation.differing,
        context=0,
        generator=generator(0, "anything"),
    )
    exchanged = next(row for row in expected if row.name == EXCHANGED)
    torch.testing.assert_close(shown[EXCHANGED].probability, exchanged.probability)
