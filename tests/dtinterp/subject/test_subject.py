import shutil

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.frames import ordinal
from dtinterp.model.published import Published
from dtinterp.model.storage import save_published
from dtinterp.subject.subject import open_subject


def test_held_out_windows_come_from_episodes_that_training_never_saw(folders):
    subject = open_subject(folders.model, folders.demonstrations)
    train, held_out = subject.train_windows(200, seed=0), subject.held_out_windows(200, seed=0)
    episode = subject.trajectories.episode
    seen = set(episode[train.step[train.mask]].tolist())
    assert seen.isdisjoint(episode[held_out.step[held_out.mask]].tolist())


def test_a_model_is_refused_with_demonstrations_it_was_not_trained_on(folders, tmp_path):
    collect(CollectConfig(("temperature=5:4000",), n_worlds=20, seed=1), folders.agent, tmp_path / "others")
    with pytest.raises(UserError, match=r"was not made from .*others"):
        open_subject(folders.model, tmp_path / "others")


def test_demonstrations_that_are_not_given_are_found_by_what_the_model_records(folders, tmp_path):
    model = shutil.copytree(folders.model, tmp_path / "models" / "mine")
    shutil.copytree(folders.demonstrations, tmp_path / "demonstrations" / "theirs")
    assert open_subject(model).demonstrations.path == tmp_path / "demonstrations" / "theirs"


def test_demonstrations_that_are_nowhere_near_are_asked_for(folders, tmp_path):
    model = shutil.copytree(folders.model, tmp_path / "away" / "from" / "them")
    with pytest.raises(UserError, match=r"was trained on demonstrations/.*, which is not beside it: give --demonstr"):
        open_subject(model)


def test_the_states_of_a_world_are_known_where_they_can_be_enumerated(folders):
    subject = open_subject(folders.model, folders.demonstrations)
    assert subject.graph is not None
    graph_frame = FrameTable.of_graph(subject.graph).rows_of(subject.table.frames)
    assert subject.table.find(torch.tensor(subject.graph.frames[graph_frame])).equal(torch.arange(len(graph_frame)))


def test_a_damaged_model_is_refused(folders, tmp_path):
    damaged = shutil.copytree(folders.model, tmp_path / "model")
    data = bytearray((damaged / "tensors.safetensors").read_bytes())
    data[-1] ^= 1
    (damaged / "tensors.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"tensors\.safetensors is damaged"):
        open_subject(damaged, folders.demonstrations)


def test_the_untrained_twin_has_the_shape_and_not_the_weights(folders):
    subject = open_subject(folders.model, folders.demonstrations)
    assert subject.untrained.cfg == subject.model.cfg
    assert not subject.untrained.W_obs.equal(subject.model.W_obs)


def test_the_untrained_model_may_be_the_subject_itself(folders):
    subject = open_subject(folders.model, folders.demonstrations, untrained=True)
    assert subject.model.W_obs.equal(open_subject(folders.model, folders.demonstrations).untrained.W_obs)
    assert subject.artefacts[0].path == folders.model


def test_rows_at_the_embedding_are_sums_of_items_and_no_others_are(folders):
    subject = open_subject(folders.model, folders.demonstrations)
    windows = subject.held_out_windows(8, seed=0)
    embedding = subject.embedding_at(OBSERVATION_EMBEDDING)
    assert embedding is not None
    frames = subject.one_hot[windows.frame_id[windows.mask]]
    torch.testing.assert_close(subject.rows(OBSERVATION_EMBEDDING, windows).value, frames @ embedding)
    assert subject.embedding_at("blocks.0.hook_resid_pre") is None


STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"


@pytest.fixture
def imported(tmp_path, draw_model):
    """Writes a model as the importer does; `env_id` is what its file says of its world."""

    def written(env_id=None, **shape):
        settings = {} if env_id is None else {"environment_config": {"env_id": env_id}}
        save_published(tmp_path / "imported", Published(draw_model(**shape), settings, seed=0, sha256="0" * 64))
        return tmp_path / "imported"

    return written


@pytest.mark.parametrize("env_id", [None, STATIC])
def test_a_model_that_was_trained_elsewhere_is_studied_on_any_demonstrations_of_its_world(folders, imported, env_id):
    subject = open_subject(imported(env_id), folders.demonstrations)
    assert subject.trained.env_id == env_id
    assert len(subject.held_out_windows(20, seed=0)) == 20
    assert subject.untrained.cfg == subject.model.cfg


def test_a_model_of_ours_leaves_its_world_to_its_demonstrations(folders):
    assert open_subject(folders.model, folders.demonstrations).trained.env_id is None


def test_a_model_that_was_trained_elsewhere_is_refused_in_another_world(folders, imported):
    with pytest.raises(UserError, match=rf"imported was trained in MiniGrid-MemoryS7-v0, not in {STATIC}: give what"):
        open_subject(imported("MiniGrid-MemoryS7-v0"), folders.demonstrations)


def test_actions_that_an_imported_model_does_not_know_are_refused(folders, imported):
    with pytest.raises(
        UserError, match=r"demonstrations holds action 6, .*imported knows actions 0 to 2: give demonst"
    ):
        open_subject(imported(STATIC, n_actions=3), folders.demonstrations)


def test_times_that_an_imported_model_does_not_know_are_refused(folders, imported):
    with pytest.raises(UserError, match=r"demonstrations holds time \d+, .*imported knows times up to 5: give demonst"):
        open_subject(imported(STATIC, max_time=5), folders.demonstrations)


def test_a_model_of_ordinal_frames_is_shown_them(folders, imported):
    subject = open_subject(imported(STATIC, n_items=147), folders.demonstrations)
    assert torch.equal(subject.items, ordinal(subject.trajectories.frames))
    with torch.no_grad():
        assert subject.model(subject.held_out_windows(20, seed=0), subject.items).isfinite().all()
