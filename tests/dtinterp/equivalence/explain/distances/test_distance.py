from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.explain.distances.distance import relative_distance
from dtinterp.foundation.errors import UserError


def test_relative_distance_is_zero_for_the_same_and_one_for_the_opposite(x):
    both = relative_distance(torch.stack([x[0], x[0], -x[0], 2 * x[0]]))
    assert both[0].tolist() == pytest.approx([0, 0, 1, 1 / 3])


def test_a_dictionary_of_another_site_is_refused(x, frames_of, coordinates):
    with pytest.raises(UserError, match=r"'coordinates' reads blocks.1.hook_resid_pre, expected hook_obs_embed"):
        frames_of(x, dictionary=replace(coordinates, site="blocks.1.hook_resid_pre")).codes()


def test_codes_without_a_dictionary_are_refused(x, frames_of):
    with pytest.raises(UserError, match="no dictionary was given"):
        frames_of(x).codes()
