from dataclasses import replace

import pytest
import torch

from dtinterp.activations.harvest import harvest
from dtinterp.equivalence.explain.distances.distance import compared_frames, relative_distance
from dtinterp.foundation.errors import UserError


def test_relative_distance_is_zero_for_the_same_and_one_for_the_opposite(x):
    both = relative_distance(torch.stack([x[0], x[0], -x[0], 2 * x[0]]))
    assert both[0].tolist() == pytest.approx([0, 0, 1, 1 / 3])


def test_a_dictionary_of_another_site_is_refused(x, frames_of, coordinates):
    with pytest.raises(UserError, match=r"'coordinates' reads blocks.1.hook_resid_pre, expected hook_obs_embed"):
        frames_of(x, dictionary=replace(coordinates, site="blocks.1.hook_resid_pre")).codes()


def test_rows_of_a_deeper_site_are_those_of_each_frame_last_in_each_window(model, items, windows, coordinates):
    site = "blocks.1.hook_resid_pre"
    frame_id = torch.tensor([3, 0, 5])
    frames = compared_frames(model, items, frame_id, replace(coordinates, site=site), windows[:2])
    assert frames.codes().shape == (3, 2, 16)
    for place, frame in enumerate(frame_id.tolist()):
        for number in range(2):
            own = windows[number : number + 1]
            shown = own.frame_id.clone()
            shown[0, -1] = frame
            alone = harvest(model, replace(own, frame_id=shown), items, site).value[-1]
            torch.testing.assert_close(frames.rows()[place, number], alone, rtol=1e-4, atol=1e-5)


def test_a_site_that_does_not_depend_on_what_is_observed_is_refused(model, items, windows, coordinates):
    with pytest.raises(UserError, match="rows at hook_rtg_embed are the same whatever is observed: give a dictionary"):
        compared_frames(model, items, torch.arange(3), replace(coordinates, site="hook_rtg_embed"), windows[:2])


def test_codes_without_a_dictionary_are_refused(x, frames_of):
    with pytest.raises(UserError, match="no dictionary was given"):
        frames_of(x).codes()
