import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.equivalence.truth.key_ball_symmetry import BALL, KEY, mirrored, reflect
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.fixture(scope="module")
def windows(trajectories, halves):
    return window(trajectories, halves.held_out[:200])


def test_keys_become_balls_and_twice_is_once_nothing(trajectories):
    frames = trajectories.frames
    image = mirrored(frames)
    assert torch.equal(mirrored(image), frames)
    assert torch.equal(image[..., 0] == KEY, frames[..., 0] == BALL)
    assert torch.equal(image[..., 1:], frames[..., 1:])
    assert not torch.equal(image, frames)


def test_a_model_that_embeds_them_alike_tells_nothing_apart(model, windows, trajectories):
    blind = DecisionTransformer(model.cfg, generator(0, "blind"))
    blind.load_state_dict(model.state_dict())
    with torch.no_grad():
        blind.W_obs[BALL * 49 : (BALL + 1) * 49] = blind.W_obs[KEY * 49 : (KEY + 1) * 49]
    found = reflect(blind, windows, trajectories.frames)
    assert max(each for each in found.distinct if each is not None) < 1e-5
    assert (found.maximum, found.n_flips) == (pytest.approx(0, abs=1e-9), 0)
    assert found.other > 0.01


def test_another_model_tells_them_apart_at_every_site(model, windows, trajectories):
    found = reflect(model, windows, trajectories.frames)
    assert min(each for each in found.distinct if each is not None) > 0.05
    assert 0 < found.mean < found.maximum <= 1
    assert found.sites[0] == "hook_obs_embed"
    assert len(found.sites) == len(found.distinct)


def test_windows_without_key_and_ball_are_refused(model, windows, trajectories):
    with pytest.raises(ValueError, match="no window shows a key or a ball"):
        reflect(model, windows, torch.zeros_like(trajectories.frames))


def test_where_all_windows_are_alike_nothing_is_said_of_the_mirror(model, windows, trajectories):
    """One window stands beside itself alone, so there is no distance of two to measure by."""
    place = next(n for n in range(len(windows)) if has_target(windows[n : n + 1], trajectories.frames))
    found = reflect(model, windows[place : place + 1], trajectories.frames)
    assert set(found.distinct) == {None}
    assert found.other == 0


def has_target(one, frames):
    shown = one.frame_id[one.mask]
    return bool((mirrored(frames)[shown] != frames[shown]).any())
