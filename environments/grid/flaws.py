"""What can be wrong with states, world by world, and the look-ups by which it is found."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Int32, Int64
from torch import Tensor

from environments.grid.cells import N_CODES, THING_OF_CODE, Thing


@dataclass(frozen=True)
class Flaw:
    """Something that cannot be so in MiniGrid, and in which worlds it is."""

    is_there: Bool[Tensor, " world"]
    sentence: Callable[[int], str]
    """What is wrong with a world in which it is there."""


def within(number: Tensor, n: int) -> Int64[Tensor, " world"]:
    """Return the numbers that are 0 to n - 1, and 0 for the others, whose flaw has been told by then."""
    return torch.where((number >= 0) & (number < n), number, 0).long()


def code_in(codes: Int32[Tensor, "world cell"], cell: Int64[Tensor, " world"]) -> Int32[Tensor, " world"]:
    """Return the code in one cell of each world."""
    return codes.gather(1, cell[:, None])[:, 0]


def is_code_of(number: Tensor, holds: Callable[[Thing], bool]) -> Bool[Tensor, " world"]:
    """Return whether these numbers are codes of things of which this holds."""
    code = within(number, N_CODES)
    return (code == number) & codes_of_things(holds, number.device)[code]


@lru_cache
def codes_of_things(holds: Callable[[Thing], bool], device: torch.device) -> Bool[Tensor, " code"]:
    """Return for each code whether this holds of its thing; it holds of no code that is not in use."""
    return torch.tensor([code in THING_OF_CODE and holds(THING_OF_CODE[code]) for code in range(N_CODES)]).to(device)
