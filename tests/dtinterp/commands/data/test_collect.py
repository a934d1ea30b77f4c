import pytest

from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.errors import UserError


def test_demonstrations_record_their_agent_and_their_samplers(folders):
    trajectories, artefact = load_trajectories(folders.demonstrations)
    agent = read_artefact(folders.agent, kind="agent")
    assert artefact.manifest.parents == {"agent/agent": agent.manifest.digest}
    assert trajectories.samplers == ("temperature=1", "temperature=5")
    assert artefact.manifest.metrics["n_steps"] == trajectories.n_steps


def test_the_same_seed_collects_the_same_bits(folders, tmp_path):
    config = CollectConfig(("temperature=1:400",), n_worlds=4)
    one, other = (collect(config, folders.agent, tmp_path / name) for name in ("one", "other"))
    assert one.manifest.files == other.manifest.files


def test_a_collection_in_which_no_episode_ends_is_refused(folders, tmp_path):
    with pytest.raises(UserError, match=r"no episode of .* ended in the steps asked for"):
        collect(CollectConfig(("temperature=1:4",), n_worlds=4), folders.agent, tmp_path / "empty")
    assert not any(tmp_path.iterdir())


def test_one_quoted_text_is_as_good_as_several_words(folders, tmp_path):
    words = CollectConfig(("temperature=1:400", "greedy:200"), n_worlds=4)
    text = CollectConfig(("temperature=1:400 greedy:200",), n_worlds=4)
    one, other = (collect(config, folders.agent, tmp_path / str(place)) for place, config in enumerate((words, text)))
    assert one.manifest.files == other.manifest.files


def test_an_agent_of_another_world_is_refused(folders, tmp_path):
    config = CollectConfig(("greedy:400",), env_id="MiniGrid-MemoryS7-v0")
    sentence = r"agent was trained in \S+Static-v0, not in MiniGrid-MemoryS7-v0: give an agent of that world"
    with pytest.raises(UserError, match=sentence):
        collect(config, folders.agent, tmp_path / "walks")
    assert not any(tmp_path.iterdir())


def test_a_collection_of_nothing_is_refused():
    with pytest.raises(UserError, match="n_worlds is 0"):
        CollectConfig(n_worlds=0)
