"""The device that a user asks for, or the best there is."""

from typing import Literal, TypeAlias

import torch

from dtinterp.foundation.errors import UserError

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


def device_of(name: Device) -> torch.device:
    """Return the device; auto is CUDA where there is one. Raises `UserError` for CUDA where there is none."""
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise UserError("device is cuda, but torch finds no CUDA device here: give --device cpu, or auto.")
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")
