"""Hostile and damaged metadata: each case is one sentence, and nothing that it names is called."""

import json
import os
import resource
from pathlib import Path

import gymnasium
import pytest

from dtinterp.demonstrations.minari.metadata import read_metadata
from dtinterp.foundation.errors import UserError

WORLD = "MiniGrid-MemoryS7-v0"
SPEC = {"id": WORLD, "entry_point": "minigrid.envs:MemoryEnv", "kwargs": {"size": 7}, "additional_wrappers": []}
IMAGE = {"type": "Box", "dtype": "uint8", "shape": [7, 7, 3]}
WHOLE = {
    "dataset_id": "walks-v0",
    "minari_version": "0.5.4",
    "total_episodes": 2,
    "total_steps": 8,
    "data_format": "hdf5",
    "observation_space": json.dumps(IMAGE),
    "action_space": json.dumps({"type": "Discrete", "dtype": "int64", "start": 0, "n": 7}),
    "env_spec": json.dumps(SPEC),
}


def written(folder: Path, **changes: object) -> Path:
    """A data folder with this metadata; None leaves an entry out."""
    entries = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    (folder / "metadata.json").write_text(json.dumps(entries))
    return folder


def test_what_minari_writes_is_read(tmp_path):
    found = read_metadata(written(tmp_path))
    assert (found.dataset_id, found.minari_version, found.n_episodes, found.world) == ("walks-v0", "0.5.4", 2, WORLD)
    assert found.own is None


@pytest.mark.parametrize("missing", ["observation_space", "action_space", "data_format"])
def test_what_minari_would_build_a_world_for_may_be_missing(tmp_path, missing):
    assert read_metadata(written(tmp_path, **{missing: None})).world == WORLD


@pytest.mark.parametrize("spaces", [{}, {"observation_space": None, "action_space": None}], ids=["spaces", "none"])
@pytest.mark.parametrize("env_id", [WORLD, "Evil-v0", "os:Evil-v0"])
def test_nothing_that_the_metadata_names_is_called(tmp_path, monkeypatch, spaces, env_id):
    called = []
    monkeypatch.setattr(os, "mknod", lambda *arguments, **_: called.append(arguments))
    spec = {**SPEC, "id": env_id, "entry_point": "os:mknod", "kwargs": {"path": str(tmp_path / "made")}}
    folder = written(tmp_path, env_spec=json.dumps(spec), eval_env_spec=json.dumps(spec), **spaces)
    with pytest.raises(
        UserError, match=r"expected a short name|is no world of MiniGrid's or ours|no id stands for that"
    ):
        _ = read_metadata(folder).world
    assert called == []
    assert [file.name for file in tmp_path.iterdir()] == ["metadata.json"]


def test_a_wrapper_that_the_metadata_names_is_not_called_either(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(os, "mknod", lambda *arguments, **_: called.append(arguments))
    wrapper = {"name": "ImgObsWrapper", "entry_point": "os:mknod", "kwargs": {"path": str(tmp_path / "made")}}
    folder = written(tmp_path, env_spec=json.dumps({**SPEC, "additional_wrappers": [wrapper]}))
    with pytest.raises(UserError, match=r"was made under 'ImgObsWrapper' \('os:mknod'\)"):
        read_metadata(folder)
    assert called == []


def test_a_world_that_somebody_else_registered_is_not_made(tmp_path):
    folder = written(tmp_path, env_spec=json.dumps({**SPEC, "id": "CartPole-v1"}))
    with pytest.raises(
        UserError, match="made in 'CartPole-v1', which is no world of MiniGrid's or ours: give --env-id"
    ):
        read_metadata(folder)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"kwargs": {"size": 9}}, r"with \{'size': 9\}, and no id stands for that: give --env-id"),
        ({"max_episode_steps": 20}, r"with \{'max_episode_steps': 20\}, and no id stands"),
        ({"kwargs": {"size": 7, "render_mode": "rgb_array"}}, None),
    ],
)
def test_a_world_made_otherwise_than_its_id_says_is_named(tmp_path, spec, sentence):
    found = read_metadata(written(tmp_path, env_spec=json.dumps({**SPEC, **spec})))
    if sentence is None:
        assert found.world == WORLD
        return
    with pytest.raises(UserError, match=sentence):
        _ = found.world


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"total_episodes": -1}, "walks-v0 has total_episodes -1, expected a count"),
        ({"total_episodes": 1e9}, "walks-v0 has total_episodes 1000000000.0, expected a count"),
        ({"total_episodes": True}, "walks-v0 has total_episodes True, expected a count"),
        ({"total_episodes": None}, "walks-v0 has total_episodes None, expected a count"),
        ({"dataset_id": "\x1b[2J"}, "dataset_id is '.*' in the dataset's metadata, expected a short name"),
        ({"dataset_id": "x" * 300}, r"dataset_id is 'x+\.\.\. in the dataset's metadata"),
        ({"dataset_id": None}, "dataset_id is None in the dataset's metadata"),
        ({"minari_version": ["0.5"]}, r"minari_version is \['0.5'\] in the dataset's metadata"),
        ({"data_format": {"a": 1}}, r"walks-v0 is stored as \{'a': 1\}, expected hdf5"),
        ({"env_spec": 3}, "the env_spec of walks-v0 is 3, expected JSON as text"),
        ({"env_spec": "[1]"}, r"the env_spec of walks-v0 is \[1\], expected a JSON object"),
        ({"env_spec": "{"}, "the env_spec of walks-v0 is damaged"),
        ({"env_spec": '{"a":' * 100_000}, "the env_spec of walks-v0 is damaged"),
        ({"env_spec": json.dumps({**SPEC, "id": 7})}, "the id of env_spec is 7"),
        ({"env_spec": json.dumps({**SPEC, "kwargs": [1]})}, r"kwargs in the env_spec of walks-v0 is \[1\]"),
        ({"env_spec": json.dumps({**SPEC, "additional_wrappers": {}})}, "is {}, expected a list"),
        ({"env_spec": json.dumps({**SPEC, "additional_wrappers": ["x"]})}, "is 'x', expected a JSON object"),
        ({"observation_space": json.dumps({"type": "Dict", "subspaces": {}})}, "has observations of type 'Dict'"),
        (
            {"observation_space": json.dumps({**IMAGE, "shape": [10**9] * 3})},
            "has observations of type 'Box' and shape",
        ),
        ({"observation_space": "7"}, "a space of walks-v0 is 7, expected a JSON object"),
        ({"action_space": json.dumps({"type": "Box", "shape": [2]})}, "walks-v0 has None actions of type 'Box'"),
        (
            {"action_space": json.dumps({"type": "Discrete", "n": 3, "start": 1})},
            "the first of them 1, expected at most 7",
        ),
        ({"dtinterp": "{}"}, "'dtinterp' in the metadata of walks-v0 is not what an export of ours writes"),
        (
            {"dtinterp": json.dumps({"max_steps": 5, "fact_names": [], "samplers": ["a"], "sampler": [0, 1]})},
            "walks-v0 names samplers of 2 episodes, expected one of the 1 that it lists for each of 2",
        ),
        (
            {"dtinterp": json.dumps({"max_steps": 5, "fact_names": [], "samplers": ["a"] * 200, "sampler": [0, 1]})},
            "walks-v0 has 200 samplers and 0 facts, expected at most 127 and 1000",
        ),
    ],
)
def test_metadata_that_minari_does_not_write_is_refused_in_a_sentence(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence) as refused:
        read_metadata(written(tmp_path, **changes))
    assert len(str(refused.value)) < 600


def test_metadata_that_are_too_large_are_not_read(tmp_path):
    file = written(tmp_path) / "metadata.json"
    with file.open("r+b") as bytes_of:
        bytes_of.truncate(2**34)  # a hole, which takes no room on the disk
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="has 17,179,869,184 bytes, expected at most 16,777,216"):
        read_metadata(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_every_wrapper_that_counts_as_harmless_is_one_of_minigrids():
    import minigrid.wrappers

    from dtinterp.demonstrations.minari.metadata import HARMLESS_WRAPPERS

    for entry_point in HARMLESS_WRAPPERS:
        module, _, name = entry_point.partition(":")
        assert module == minigrid.wrappers.__name__
        assert issubclass(getattr(minigrid.wrappers, name), gymnasium.Wrapper)
