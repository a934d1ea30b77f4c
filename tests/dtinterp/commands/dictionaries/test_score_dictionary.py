import pytest
from pydantic import TypeAdapter

from dtinterp.activations.storage import load_harvest
from dtinterp.commands.dictionaries.score_dictionary import ScoreConfig, score_dictionary
from dtinterp.commands.models.harvest import HarvestConfig, harvest
from dtinterp.dictionary.evaluation.acceptance import AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import DictionaryScore
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.dictionary.storage import load_score
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.replacements.scoring import Judging
from dtinterp.interventions.returns.model_returns import ActingConfig

FEW = ActingConfig(n_episodes=2)


@pytest.fixture
def subject(small_study):
    return {"model": small_study / "models" / "novice", "demonstrations": small_study / "demonstrations" / "walks"}


@pytest.fixture
def dictionary(small_study):
    return small_study / "dictionaries" / "pca-4"


def _score(artefact) -> DictionaryScore:
    return TypeAdapter(DictionaryScore).validate_python(artefact.manifest.metrics)


def test_the_same_windows_give_the_card_of_the_fit(tmp_path, subject, dictionary):
    config = ScoreConfig(n_windows=32, n_fit_windows=64, judging=Judging(FEW))
    assert _score(score_dictionary(config, dictionary, tmp_path / "score", **subject)) == load_score(dictionary)


def test_rows_of_a_harvest_count_as_those_of_the_fit(tmp_path, subject, dictionary):
    harvest(HarvestConfig(n_windows=16), tmp_path / "rows", **subject)
    config = ScoreConfig(n_windows=32, judging=Judging(FEW), rows=tmp_path / "rows")
    made = score_dictionary(config, dictionary, tmp_path / "score", **subject)
    card = _score(made).held_out
    rows, _ = load_harvest(tmp_path / "rows")
    assert card is not None
    assert card.fitted.n_distinct == len(distinct_rows(rows.value).value)
    assert "activations/rows" in made.manifest.parents


def test_on_the_fit_s_own_windows_nothing_is_unseen(tmp_path, subject, dictionary):
    config = ScoreConfig("train", 64, 64, Judging(FEW, AcceptanceCriteria(max_l0_share=0.0)))
    score = _score(score_dictionary(config, dictionary, tmp_path / "score", **subject))
    assert score.held_out is not None
    assert score.held_out.unseen is None
    assert score.verdict is not None
    assert score.verdict.failures[0] == "L0 4.0, at most 0.0"
    assert "FVU on unseen rows" in score.verdict.unjudged


def test_a_dictionary_of_another_model_is_refused(tmp_path, dictionary, folders):
    others = {"model": folders.model, "demonstrations": folders.demonstrations}
    with pytest.raises(UserError, match=r"pca-4 was not made from"):
        score_dictionary(ScoreConfig(), dictionary, tmp_path / "score", **others)
