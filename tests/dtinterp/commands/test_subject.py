import shutil

import pytest

from dtinterp.commands.collect import CollectConfig, collect
from dtinterp.commands.subject import load_subject
from dtinterp.foundation.errors import UserError
from dtinterp.model.published import Published
from dtinterp.model.storage import save_published


def test_held_out_windows_come_from_episodes_that_training_never_saw(folders):
    subject = load_subject(folders.model, folders.demonstrations)
    train, held_out = subject.train_windows(200, seed=0), subject.held_out_windows(200, seed=0)
    episode = subject.trajectories.episode
    seen = set(episode[train.step[train.mask]].tolist())
    assert seen.isdisjoint(episode[held_out.step[held_out.mask]].tolist())


def test_a_model_is_refused_with_demonstrations_it_was_not_trained_on(folders, tmp_path):
    collect(CollectConfig(("temperature=5:4000",), n_worlds=20, seed=1), folders.agent, tmp_path / "others")
    with pytest.raises(UserError, match=r"was not made from .*others"):
        load_subject(folders.model, tmp_path / "others")


def test_a_damaged_model_is_refused(folders, tmp_path):
    damaged = shutil.copytree(folders.model, tmp_path / "model")
    data = bytearray((damaged / "tensors.safetensors").read_bytes())
    data[-1] ^= 1
    (damaged / "tensors.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"tensors\.safetensors is damaged"):
        load_subject(damaged, folders.demonstrations)


def test_the_untrained_twin_has_the_shape_and_not_the_weights(folders):
    subject = load_subject(folders.model, folders.demonstrations)
    assert subject.untrained.cfg == subject.model.cfg
    assert not subject.untrained.W_obs.equal(subject.model.W_obs)


def test_the_untrained_model_may_be_the_subject_itself(folders):
    subject = load_subject(folders.model, folders.demonstrations, untrained=True)
    assert subject.model.W_obs.equal(load_subject(folders.model, folders.demonstrations).untrained.W_obs)
    assert subject.artefacts[0].path == folders.model


def test_a_model_that_was_trained_elsewhere_is_studied_on_any_demonstrations(folders, tmp_path, draw_model):
    published = Published(draw_model(n_slots=10), {}, seed=0, sha256="0" * 64)
    save_published(tmp_path / "imported", published)
    subject = load_subject(tmp_path / "imported", folders.demonstrations)
    assert len(subject.held_out_windows(20, seed=0)) == 20
    assert subject.untrained.cfg == subject.model.cfg
