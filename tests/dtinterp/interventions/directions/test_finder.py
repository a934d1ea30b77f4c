from dataclasses import replace

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.finder import FoundDirections, oriented, unit


def test_a_direction_has_length_one_and_a_name():
    with pytest.raises(ValueError, match="not of length 1"):
        FoundDirections(torch.tensor([[2.0, 0.0]]), ("a",), "hook_obs_embed")
    with pytest.raises(ValueError, match="1 directions have 2 names"):
        FoundDirections(torch.tensor([[1.0, 0.0]]), ("a", "b"), "hook_obs_embed")


def test_what_is_zero_has_no_direction():
    assert unit(torch.tensor([3.0, 4.0]), "it").tolist() == pytest.approx([0.6, 0.8])
    with pytest.raises(UserError, match="the probe is zero, so it has no direction"):
        unit(torch.zeros(2), "the probe")


def test_a_sign_is_chosen_by_what_it_is_to_point_along():
    x = torch.tensor([1.0, 0.0])
    assert torch.equal(oriented(x, -x), -x)
    assert torch.equal(oriented(x, x), x)


def test_a_site_that_the_model_lacks_and_a_dictionary_that_is_not_given_are_refused(material, axes):
    with pytest.raises(UserError, match=r"the site is 'blocks\.9\.hook_resid_pre'"):
        replace(material, site="blocks.9.hook_resid_pre")
    with pytest.raises(UserError, match=r"the dictionary is 'topk', expected one of the subject's \(axes\)"):
        replace(material, dictionaries={"axes": axes}).dictionary("topk")
