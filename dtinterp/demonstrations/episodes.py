"""Whole episodes, gathered from the steps of many worlds as they end."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from einops import rearrange
from jaxtyping import Bool, Float32, Int16, Int64
from torch import Tensor

from dtinterp.demonstrations.rollout import Step

N_ROWS = 65_536
"""Steps of single worlds that are gathered before the episodes that ended among them are handed on."""


@dataclass(frozen=True)
class WholeEpisodes:
    """Episodes from their first step to their last, one after the other; frames are numbered as in the worlds."""

    frame_id: Int64[Tensor, " step"]
    facts: Int16[Tensor, "step fact"]
    action: Int64[Tensor, " step"]
    reward: Float32[Tensor, " step"]
    length: Int64[Tensor, " episode"]
    terminated: Bool[Tensor, " episode"]


def whole_episodes(steps: Iterable[Step], *, n_worlds: int, n_rows: int = N_ROWS) -> Iterator[WholeEpisodes]:
    """Yield the episodes that ended, world after world, each time that about `n_rows` steps came together.

    What is held at any time is those steps and the beginnings of the episodes still going on, however many steps come.
    An episode that is going on when the steps end is dropped, never glued to the next.
    """
    source = iter(steps)
    held: list[Step] = []
    done = torch.zeros(n_worlds, dtype=torch.int64)
    while fresh := list(islice(source, max(1, n_rows // n_worlds))):
        held += fresh
        del fresh
        episodes, end = _ended(held, done)
        n_dropped = int(end.min())
        held, done = held[n_dropped:], end - n_dropped
        yield episodes


def _ended(held: Sequence[Step], done: Int64[Tensor, " world"]) -> tuple[WholeEpisodes, Int64[Tensor, " world"]]:
    """Return the episodes that ended in the rows, and how far in each world they go.

    The first `done` rows of a world were handed on already, and are held because of other worlds.
    """
    columns = {
        name: rearrange([getattr(row, name) for row in held], "time world ... -> world time ...")
        for name in ("frame_id", "facts", "action", "reward", "terminated", "is_last")
    }
    time = torch.arange(len(held))
    end = (columns["is_last"] * (time + 1)).amax(1)  # world
    is_whole = (time >= done[:, None]) & (time < end[:, None])
    step = {name: column[is_whole] for name, column in columns.items()}
    last = step.pop("is_last").nonzero().squeeze(-1)
    length = torch.diff(last, prepend=last.new_tensor([-1]))
    return WholeEpisodes(**{**step, "terminated": step["terminated"][last]}, length=length), end
