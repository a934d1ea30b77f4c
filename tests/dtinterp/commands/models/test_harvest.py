import pytest
import torch

from dtinterp.activations.storage import load_harvest
from dtinterp.commands.models.harvest import HarvestConfig, harvest
from dtinterp.foundation.errors import UserError
from dtinterp.subject.subject import open_subject


@pytest.fixture(scope="session")
def subject(folders):
    return open_subject(folders.model, folders.demonstrations)


def harvested(folders, config, name):
    artefact = harvest(config, folders.root / name, model=folders.model, demonstrations=folders.demonstrations)
    return load_harvest(artefact.path)[0]


@pytest.mark.parametrize("split", ["train", "held-out"])
def test_a_window_ends_at_each_step_of_the_side(folders, subject, split):
    rows = harvested(folders, HarvestConfig(split=split), f"rows of {split}")
    newest = rows.step[rows.slot == 9]
    assert torch.equal(newest, getattr(subject.split, split.replace("-", "_")))
    shown = subject.items[subject.trajectories.frame_id[rows.step[:50]].long()]
    torch.testing.assert_close(rows.value[:50], shown @ subject.model.W_obs.detach(), atol=1e-5, rtol=1e-5)


def test_some_windows_may_be_drawn(folders):
    some = HarvestConfig(site="blocks.0.attn.hook_z", n_windows=20, seed=3)
    rows, again = (harvested(folders, some, name) for name in ("some rows", "the same rows"))
    assert int((rows.slot == 9).sum()) == 20
    assert torch.equal(rows.value, again.value)


def test_an_unknown_site_is_refused_and_nothing_is_left(folders):
    with pytest.raises(UserError, match="the site is 'nowhere', expected one of hook_obs_embed"):
        harvested(folders, HarvestConfig(site="nowhere"), "nothing")
    assert not (folders.root / "nothing").exists()
