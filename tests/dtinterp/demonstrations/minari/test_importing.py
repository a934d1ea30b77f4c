import json
import socket
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from minigrid.wrappers import (
    ActionBonus,
    DictObservationSpaceWrapper,
    FullyObsWrapper,
    ImgObsWrapper,
    NoDeath,
    PositionBonus,
    ReseedWrapper,
    RGBImgPartialObsWrapper,
    StochasticActionWrapper,
)

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.minari.exporting import to_minari
from dtinterp.demonstrations.minari.importing import from_minari
from dtinterp.foundation.errors import UserError
from environments.registration import make
from environments.vocabulary import one_hot

minari = pytest.importorskip("minari")
h5py = pytest.importorskip("h5py")

WORLD = "MiniGrid-MemoryS7-v0"


def episodes_of(folder):
    """What Minari itself reads from the dataset."""
    return list(minari.MinariDataset(folder / "data").iterate_episodes())


def require_same(trajectories, episodes):
    """Compare with Minari's own reading, episode by episode and step by step."""
    assert trajectories.n_episodes == len(episodes)
    first = 0
    for index, episode in enumerate(episodes):
        length = len(episode.rewards)
        steps = slice(first, first + length)
        observations = episode.observations
        images = observations["image"] if isinstance(observations, dict) else observations
        ours = trajectories.frames[trajectories.frame_id[steps].long()]
        assert np.array_equal(ours.numpy(), images[:length])
        assert trajectories.action[steps].tolist() == list(episode.actions)
        assert trajectories.reward[steps].tolist() == [np.float32(each) for each in episode.rewards]
        assert trajectories.length[index] == length
        assert bool(trajectories.terminated[index]) == bool(episode.terminations[-1])
        left = [sum(float(each) for each in episode.rewards[step:]) for step in range(length)]
        assert trajectories.return_to_go[steps].tolist() == pytest.approx(left, abs=1e-5)
        first += length
    assert first == trajectories.n_steps


@pytest.mark.parametrize("wrapped", [ImgObsWrapper, lambda env: env], ids=["image", "image, direction and mission"])
def test_a_dataset_of_minaris_own_collector_is_read_step_by_step(collected_by_minari, wrapped):
    folder = collected_by_minari(wrapped(gymnasium.make(WORLD, max_steps=40)))
    imported = from_minari(folder, env_id=WORLD)
    require_same(imported.trajectories, episodes_of(folder))
    assert imported.trajectories.env_id == WORLD
    assert imported.trajectories.n_episodes > 8
    assert imported.trajectories.samplers == ("random-v0",)
    assert (imported.dataset_id, imported.n_episodes_dropped) == ("random-v0", 0)


def test_returns_to_go_are_right_where_every_step_pays(trajectories, tmp_path):
    paid = replace(trajectories, reward=torch.rand(trajectories.n_steps, generator=torch.Generator().manual_seed(0)))
    folder = to_minari(paid, tmp_path, "paid-v0")
    back = from_minari(folder).trajectories
    require_same(back, episodes_of(folder))
    windows = window(back, torch.arange(back.n_steps))
    steps = windows.step[windows.mask]
    assert torch.equal(windows.rtg[windows.mask], back.return_to_go[steps])


@pytest.mark.parametrize("data_format", ["arrow", "parquet"])
def test_other_formats_of_minaris_are_named(trajectories, tmp_path, data_format):
    folder = rewritten(to_minari(trajectories, tmp_path, "walks-v0"), data_format=data_format)
    with pytest.raises(UserError, match=f"walks-v0 is stored as '{data_format}', expected hdf5: write it anew"):
        from_minari(folder)


def test_a_foreign_dataset_has_no_facts(collected_by_minari):
    trajectories = from_minari(collected_by_minari(ImgObsWrapper(gymnasium.make(WORLD)))).trajectories
    assert trajectories.fact_names == ()
    assert trajectories.facts.shape == (trajectories.n_steps, 0)


def test_frames_are_interned_and_encode(collected_by_minari):
    trajectories = from_minari(collected_by_minari(ImgObsWrapper(gymnasium.make(WORLD)))).trajectories
    assert len(torch.unique(trajectories.frames.flatten(1), dim=0)) == len(trajectories.frames) < 97
    assert (one_hot(trajectories.frames).sum(1) == 147).all()


def test_the_time_limit_is_the_worlds(collected_by_minari):
    folder = collected_by_minari(ImgObsWrapper(gymnasium.make(WORLD)))
    assert from_minari(folder).trajectories.max_steps == make(WORLD).max_steps


def cut_off(folder, episode):
    """Make an episode one that never ends."""
    with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
        for name in ("terminations", "truncations"):
            column: Any = file[f"{episode}/{name}"]
            column[-1] = False


def test_the_time_limit_of_a_babyai_level_is_the_one_after_a_reset(trajectories, tmp_path):
    first = int(trajectories.length[0])
    columns = ("frame_id", "fact_id", "action", "reward")
    one = replace(
        trajectories,
        **{name: getattr(trajectories, name)[:first] for name in columns},
        **{name: getattr(trajectories, name)[:1] for name in ("length", "terminated", "sampler")},
    )
    folder = to_minari(one, tmp_path, "walks-v0")
    assert make("BabyAI-GoToObj-v0").max_steps == 0
    assert from_minari(folder, env_id="BabyAI-GoToObj-v0").trajectories.max_steps == 64


def test_an_episode_without_an_end_is_dropped_and_counted(trajectories, tmp_path):
    folder = to_minari(trajectories, tmp_path, "walks-v0")
    cut_off(folder, "episode_3")
    imported = from_minari(folder)
    assert imported.n_episodes_dropped == 1
    kept = torch.arange(trajectories.n_episodes) != 3
    assert torch.equal(imported.trajectories.length, trajectories.length[kept])
    assert torch.equal(imported.trajectories.sampler, trajectories.sampler[kept])


def test_neither_the_home_folder_nor_the_network_is_touched(trajectories, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was touched")

    monkeypatch.delenv("MINARI_DATASETS_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(socket, "socket", refuse)
    from_minari(to_minari(trajectories, tmp_path / "root", "walks-v0"))
    assert not any((tmp_path / "home").iterdir())


def rewritten(folder, **changes):
    """The dataset with other metadata; None removes an entry."""
    file = folder / "data" / "metadata.json"
    metadata = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in metadata.items() if value is not None}))
    return folder


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere holds no Minari dataset \(there is no metadata.json in it"):
        from_minari(tmp_path / "nowhere")


def test_a_dataset_that_does_not_say_its_world_is_refused(trajectories, tmp_path):
    folder = rewritten(to_minari(trajectories, tmp_path, "walks-v0"), env_spec=None)
    with pytest.raises(UserError, match="walks-v0 does not say which world it was made in: give --env-id"):
        from_minari(folder)
    assert from_minari(folder, env_id=WORLD).trajectories.env_id == WORLD


def test_a_world_that_is_not_there_is_refused(trajectories, tmp_path):
    folder = to_minari(trajectories, tmp_path, "walks-v0")
    with pytest.raises(ValueError, match="There is no environment 'Nowhere-v0'"):
        from_minari(folder, env_id="Nowhere-v0")


def test_a_world_that_no_id_stands_for_is_refused(collected_by_minari):
    folder = collected_by_minari(ImgObsWrapper(gymnasium.make(WORLD, max_steps=40)))
    with pytest.raises(UserError, match=r"made in MiniGrid-MemoryS7-v0 with \{'max_steps': 40\}, .*: give --env-id"):
        from_minari(folder)


def test_observations_of_another_shape_are_refused(collected_by_minari):
    folder = collected_by_minari(ImgObsWrapper(FullyObsWrapper(gymnasium.make("MiniGrid-MemoryS9-v0"))))
    expected = r"observations of type 'Box' and shape \[9, 9, 3\], expected MiniGrid's image of 7x7 cells"
    with pytest.raises(UserError, match=expected):
        from_minari(folder)


def test_pictures_of_the_whole_grid_are_refused_though_they_are_as_large_as_a_view(collected_by_minari):
    folder = collected_by_minari(ImgObsWrapper(FullyObsWrapper(gymnasium.make(WORLD))))
    with pytest.raises(UserError, match=r"made under 'FullyObsWrapper' \('minigrid.wrappers:FullyObsWrapper'\)"):
        from_minari(folder)
    spec = json.loads(json.loads((folder / "data" / "metadata.json").read_text())["env_spec"])
    silent = rewritten(folder, env_spec=json.dumps({**spec, "additional_wrappers": []}))
    expected = r"random-v0 shows the agent itself \(object code 10\) in a frame, in episode_0 at step 0"
    with pytest.raises(UserError, match=expected):
        from_minari(silent)


@pytest.mark.parametrize(
    "wrapper", [ActionBonus, PositionBonus, NoDeath, StochasticActionWrapper, RGBImgPartialObsWrapper]
)
def test_a_wrapper_under_which_numbers_mean_something_else_is_refused_by_name(trajectories, tmp_path, wrapper):
    folder = to_minari(trajectories, tmp_path, "walks-v0")
    spec = json.loads(json.loads((folder / "data" / "metadata.json").read_text())["env_spec"])
    named = {"name": wrapper.__name__, "entry_point": f"{wrapper.__module__}:{wrapper.__name__}", "kwargs": None}
    spec["additional_wrappers"].append(named)  # as gymnasium writes one whose arguments it did not record
    rewritten(folder, env_spec=json.dumps(spec))
    with pytest.raises(UserError, match=f"walks-v0 was made under '{wrapper.__name__}'"):
        from_minari(folder)
    with pytest.raises(UserError, match=f"walks-v0 was made under '{wrapper.__name__}'"):
        from_minari(folder, env_id=WORLD)


@pytest.mark.parametrize("wrapper", [ImgObsWrapper, ReseedWrapper, DictObservationSpaceWrapper])
def test_a_wrapper_that_leaves_image_actions_and_rewards_alone_is_not(trajectories, tmp_path, wrapper):
    spec = wrapper(gymnasium.make(WORLD)).spec
    assert spec is not None
    folder = rewritten(to_minari(trajectories, tmp_path, "walks-v0"), env_spec=spec.to_json())
    assert from_minari(folder).trajectories.env_id == WORLD


def test_more_actions_than_minigrid_has_are_refused(trajectories, tmp_path):
    eight = json.dumps({"type": "Discrete", "dtype": "int64", "start": 0, "n": 8})
    folder = rewritten(to_minari(trajectories, tmp_path, "walks-v0"), action_space=eight)
    with pytest.raises(UserError, match=r"walks-v0 has 8 actions of type 'Discrete', .*, expected at most 7"):
        from_minari(folder)


def test_a_dataset_of_fragments_alone_is_refused(trajectories, tmp_path):
    one = replace(
        trajectories,
        **{
            name: getattr(trajectories, name)[: int(trajectories.length[0])]
            for name in ("frame_id", "fact_id", "action", "reward")
        },
        **{name: getattr(trajectories, name)[:1] for name in ("length", "terminated", "sampler")},
    )
    folder = to_minari(one, tmp_path, "walks-v0")
    cut_off(folder, "episode_0")
    with pytest.raises(UserError, match="no episode of walks-v0 ends: give a dataset with whole episodes"):
        from_minari(folder)
