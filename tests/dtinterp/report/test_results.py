from dataclasses import replace
from pathlib import Path

import pytest

from dtinterp.demonstrations.quality import quality
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.errors import UserError
from dtinterp.report.results import ScoredDictionary, StudyResults
from tests.dtinterp.report.conftest import planted, with_manifest


def test_classes_of_another_world_are_refused(results: StudyResults) -> None:
    foreign = replace(results.equivalence.value, env_id="MiniGrid-MemoryS7-v0")
    with pytest.raises(UserError, match=r"about MiniGrid-MemoryS7-v0, the demonstrations about .*Static-v0: give"):
        planted(results, foreign)


def test_features_of_a_dictionary_that_is_not_there_are_refused(results: StudyResults) -> None:
    opened = [each for each in results.opened if each.label != "dictionary/topk-512-k4"]
    with pytest.raises(UserError, match=r"the dictionary 'topk-512-k4' at hook_obs_embed, which is not among the 1"):
        replace(results, opened=opened)


def test_features_belong_to_the_dictionary_of_their_site(results: StudyResults) -> None:
    table = replace(results.of(FeatureTable)[0].value, site="blocks.0.hook_resid_pre")
    with pytest.raises(UserError, match=r"at blocks\.0\.hook_resid_pre"):
        results.described(table)
    assert results.described(results.of(FeatureTable)[0].value).dictionary.name == "topk-512-k4"


def test_parents_stand_before_their_children(results: StudyResults) -> None:
    seen: set[str] = set()
    for artefact in (each.artefact for each in results.opened):
        assert set(artefact.manifest.parents.values()) <= seen
        seen.add(artefact.manifest.digest)


def test_every_result_is_among_the_artefacts_once(results: StudyResults) -> None:
    artefacts = [each.artefact for each in results.opened]
    kinds = [artefact.manifest.kind for artefact in artefacts]
    expected = [
        "agent",
        "demonstrations",
        "model",
        "dictionary",
        "features",
        "labels",
        "feature-comparison",
        "model-comparison",
        "equivalence",
    ]
    assert sorted(set(kinds)) == sorted([*expected, "explanation", "intervention-report", "pair"])
    assert len({artefact.manifest.digest for artefact in artefacts}) == len(kinds) == 13


def test_results_are_found_by_their_type(results: StudyResults) -> None:
    assert results.of(FeatureTable)[0].artefact.manifest.kind == "features"
    assert [each.artefact.manifest.kind for each in results.of(ScoredDictionary)] == ["dictionary"] * 2
    assert results.of(Path) == ()
    assert results.first(Path) is None


def test_parameters_are_those_that_were_saved(results: StudyResults) -> None:
    assert results.n_parameters == sum(tensor.numel() for tensor in results.model.artefact.tensors.values())


def test_calibration_is_read_from_the_models_artefact(results: StudyResults) -> None:
    points = results.calibration["greedy"]
    assert [point.target_return for point in points] == [0.0, 0.892]
    assert points[0].evaluation.success.n == 8


def test_a_model_that_was_never_calibrated_has_no_points(results: StudyResults) -> None:
    bare = with_manifest(results, "model", metrics={})
    assert bare.calibration == {}
    assert bare.calibrated is None


def test_what_was_demonstrated_is_read_by_sampler(results: StudyResults) -> None:
    fared = results.demonstrated.by_sampler
    assert list(fared) == ["temperature=1", "temperature=5"]
    assert results.demonstrated == quality(results.demonstrations.value)
    assert sum(each.n_episodes for each in fared.values()) == results.demonstrations.value.n_episodes
    assert results.demonstrator["temperature=1"].success.n == 8
