from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.explain.distances.site import cosine_at_the_site, near_at_the_site


@pytest.fixture
def frames(x, frames_of, coordinates):
    deeper = frames_of(x, dictionary=replace(coordinates, site="blocks.1.hook_resid_pre"))
    return replace(deeper, in_windows=torch.stack([x, x.flip(1) + 1], dim=1))


def test_cosine_at_the_site_is_a_mean_over_windows(frames, x):
    found = cosine_at_the_site(frames).maximum
    one, other = (torch.cosine_similarity(each[:, None], each[None], dim=2) for each in (x, x.flip(1) + 1))
    torch.testing.assert_close(found, (1 - (one + other) / 2) / 2, rtol=1e-5, atol=1e-6)


def test_rows_that_are_the_same_in_every_window_are_as_near_as_in_one(frames, x):
    once, twice = (near_at_the_site(replace(frames, in_windows=x[:, None].expand(-1, n, -1))).maximum for n in (1, 2))
    torch.testing.assert_close(once, twice)
    assert near_at_the_site(frames).maximum[0, 1] > 0
