import pytest
import torch
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.bindings import Bindings


def test_nothing_is_left_of_a_direction(applied, names: Bindings, there: Tensor) -> None:
    ablated = applied({"ablate": {"direction": "one"}})
    torch.testing.assert_close(ablated @ names.directions["one"][0].T, torch.zeros(4, 1), atol=1e-5, rtol=0)
    assert not torch.allclose(there @ names.directions["one"][0].T, torch.zeros(4, 1), atol=0.1)


def test_all_windows_hold_the_mean_of_the_reference(applied, there: Tensor) -> None:
    """The stand-in subject's training windows are the four decision points themselves."""
    ablated = applied({"ablate": {"token": "whole"}, "to": "mean"})
    torch.testing.assert_close(ablated, there.mean(dim=0).expand_as(there), atol=1e-5, rtol=1e-5)


def test_resampling_gives_each_window_what_another_one_has(applied, there: Tensor) -> None:
    ablated = applied({"ablate": {"token": "whole"}, "to": "resample"})
    torch.testing.assert_close(ablated.sort(dim=0).values, there.sort(dim=0).values)
    assert not torch.allclose(ablated, there)


def test_values_are_taken_from_a_slot_that_every_window_has_once(applied) -> None:
    words = {"ablate": {"token": "whole"}, "to": "resample", "at": {"site": "hook_obs_embed", "slot": "all"}}
    with pytest.raises(UserError, match="window Key,Key-Ball has 5 slots all, expected 1 to take values from"):
        applied(words)
