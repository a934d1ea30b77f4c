from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.explain_classes import Places, explain_classes
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.class_features import ClassFeatures, Dimensions
from dtinterp.equivalence.explain.distances import DISTANCES
from dtinterp.equivalence.explain.distances.distance import relation_of, relative_distance
from dtinterp.equivalence.explain.explanations import EXPLANATION
from dtinterp.equivalence.explain.prediction import Predictions
from dtinterp.equivalence.explain.similarity import COMPONENTS, COORDINATES, LINEAR, TREES, LearnedSimilarity
from dtinterp.equivalence.observations import ExplainClassesConfig
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model

SMALL = EquivalenceConfig(
    n_frames=16,
    n_contexts=2,
    n_draws=5,
    n_quotient_draws=2,
    n_rounds=0,
    n_plays=32,
    n_tested=16,
    n_joint=32,
    n_searched=4,
    n_abstracted=0,
    n_wandered=0,
)


@pytest.fixture(scope="module")
def places(folders, axes, tmp_path_factory) -> Places:
    root = tmp_path_factory.mktemp("explanation")
    trained = load_model(folders.model).artefact
    save(root / "dictionary", axes, parents=(trained,), seed=0)
    subject = {"model": folders.model, "demonstrations": folders.demonstrations}
    certify(SMALL, root / "first look", **subject)
    typical = load(root / "first look", EQUIVALENCE).relation.maximum.median().item()
    certify(replace(SMALL, epsilon=typical), root / "classes", **subject)
    return Places(root / "classes", root / "dictionary", folders.model, folders.demonstrations)


def test_what_features_say_of_classes_rests_on_all_that_it_was_made_from(places, tmp_path):
    artefact = explain_classes(ExplainClassesConfig(n_draws=5, n_splits=2), places, tmp_path / "explanation")
    assert len(artefact.manifest.parents) == 4
    found = artefact.manifest.metrics
    assert found["gate"] == "not judged: no report card"
    predicted = TypeAdapter(Predictions).validate_python(found["predictions"])
    report = load(places.equivalence, EQUIVALENCE)
    assert predicted.n_pairs == 16 * 15 // 2
    assert predicted.n_interchangeable == int((report.relation.maximum <= report.config.epsilon).triu(1).sum())
    names = {each.name for each in predicted.distances}
    assert {"raw cosine", "near in the embedding", "same active features", "same code"} < names
    learned = TypeAdapter(LearnedSimilarity).validate_python(found["learned"])
    assert set(learned.auroc) == {LINEAR, TREES, COORDINATES, COMPONENTS, *names}
    assert TypeAdapter(Dimensions).validate_python(found["dimensions"]).embeddings > 1
    listed = TypeAdapter(list[ClassFeatures]).validate_python(found["classes"])
    assert [each.n_members for each in listed] == sorted(n for n in report.partition.sizes.tolist() if n > 1)[::-1]


def test_a_dictionary_of_a_deeper_site_is_held_against_the_rows_that_it_reads(places, axes, tmp_path):
    trained = load_model(places.model).artefact
    deeper = replace(axes, site="blocks.0.hook_resid_mid")
    save(tmp_path / "dictionary", deeper, parents=(trained,), seed=0)
    config = ExplainClassesConfig(n_draws=2, n_splits=2, n_windows=3, target_return=0.9)
    artefact = explain_classes(config, replace(places, dictionary=tmp_path / "dictionary"), tmp_path / "explanation")
    predicted = TypeAdapter(Predictions).validate_python(artefact.manifest.metrics["predictions"])
    names = [each.name for each in predicted.distances]
    assert names[len(DISTANCES) :] == ["raw cosine at the site", "near at the site"]
    assert load(tmp_path / "explanation", EXPLANATION).site == "blocks.0.hook_resid_mid"


def test_a_new_distance_stands_in_the_table_of_predictions(places, tmp_path, monkeypatch):
    def toy(frames):
        return relation_of(relative_distance(frames.embedding[:, :1]), frames.frame_id, "first number")

    monkeypatch.setattr("dtinterp.equivalence.observations.DISTANCES", (*DISTANCES, toy))
    artefact = explain_classes(ExplainClassesConfig(n_draws=2, n_splits=2), places, tmp_path / "explanation")
    predicted = TypeAdapter(Predictions).validate_python(artefact.manifest.metrics["predictions"])
    assert [each.name for each in predicted.distances][len(DISTANCES) :] == ["first number"]


def test_classes_of_another_model_are_refused(places, folders, tmp_path):
    strange = Places(places.equivalence, places.dictionary, folders.root / "nothing", folders.demonstrations)
    with pytest.raises(UserError, match="holds no model"):
        explain_classes(ExplainClassesConfig(), strange, tmp_path / "explanation")


def test_nothing_drawn_is_refused():
    with pytest.raises(UserError, match="n_splits is 0, expected at least 1"):
        ExplainClassesConfig(n_splits=0)
