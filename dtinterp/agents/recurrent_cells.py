"""Recurrent cells: what is remembered next, from what a frame sends in and what was remembered."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float32
from torch import Tensor

Core: TypeAlias = Literal["gru", "lstm", "none"]
"""How an agent remembers; `none` acts on the present frame alone, which is enough where it tells all that counts."""

N_GATES: dict[Core, int] = {"gru": 3, "lstm": 4, "none": 1}
"""Vectors that the frame, and what is remembered, each send into a step."""
N_PARTS: dict[Core, int] = {"gru": 1, "lstm": 2, "none": 1}
"""Vectors that are carried from step to step; the first is the hidden state that actions and values are read from."""


def gru(
    frame: Float32[Tensor, "world gate"],
    own: Float32[Tensor, "world gate"],
    hidden: Float32[Tensor, "world d_hidden"],
) -> Float32[Tensor, "world d_hidden"]:
    """Return the next hidden state (Cho et al. 2014, arXiv:1406.1078, eq. 5–8, reset after the product as in cuDNN)."""
    frame_reset, frame_update, frame_candidate = frame.chunk(3, dim=-1)
    own_reset, own_update, own_candidate = own.chunk(3, dim=-1)
    reset = torch.sigmoid(frame_reset + own_reset)
    update = torch.sigmoid(frame_update + own_update)
    candidate = torch.tanh(frame_candidate + reset * own_candidate)
    return torch.lerp(candidate, hidden, update)


def lstm(
    frame: Float32[Tensor, "world gate"],
    own: Float32[Tensor, "world gate"],
    memory: Float32[Tensor, "world d_memory"],
) -> Float32[Tensor, "world d_memory"]:
    """Return the next hidden state and, beside it, the next cell (Gers et al. 2000, doi:10.1162/089976600300015015)."""
    admit, keep, candidate, show = (frame + own).chunk(4, dim=-1)
    cell = memory.chunk(2, dim=-1)[1]
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(admit) * torch.tanh(candidate)
    return torch.cat([torch.sigmoid(show) * torch.tanh(cell), cell], dim=-1)
