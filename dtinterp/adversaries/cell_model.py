"""How likely frames are under a simple model of the data: each cell by itself, given the time in the episode.

    log p(frame | time) = Σ over cells of log p(what the cell holds | time)

What a cell holds is its object, colour and state at once. The chances are shares of the demonstrations' frames at that
time, with a pseudo-count spread evenly over all that any cell was ever seen to hold and one more for what never was.
The model knows nothing of how cells go together, nor of where the agent stands but what the time tells: at time 0 of a
world with a fixed start that is all, later it mixes places.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64, UInt8
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories

PSEUDO_COUNT = 1.0
N_STATES, N_COLOURS = 16, 16
"""Factors by which the three channels of a cell become one number."""


@dataclass(frozen=True)
class CellModel:
    """Log-chances of what each cell holds at each time."""

    known: Int64[Tensor, " content"]
    """what cells were seen to hold, as `contents` numbers it, in order"""
    log_chance: Float64[Tensor, "time cell content_or_new"]
    """nats; the last column is of what no cell was seen to hold"""

    def log_likelihood(
        self, frames: UInt8[Tensor, "*batch slot view view 3"], time: Int64[Tensor, " slot"]
    ) -> Float64[Tensor, "*batch slot cell"]:
        """Return each cell's log-chance in nats, at the environment time of each slot; late times count as the last."""
        held = contents(frames)  # *batch slot cell
        place = torch.searchsorted(self.known, held).clamp(max=len(self.known) - 1)
        column = torch.where(self.known[place] == held, place, len(self.known))
        time = time.clamp(max=len(self.log_chance) - 1)
        return self.log_chance[time[:, None], torch.arange(held.shape[-1]), column]


def contents(frames: UInt8[Tensor, "*batch view view 3"]) -> Int64[Tensor, "*batch cell"]:
    """Return what each cell holds as one number."""
    kind, colour, state = frames.long().flatten(-3, -2).unbind(-1)
    return (kind * N_COLOURS + colour) * N_STATES + state


def cell_model(trajectories: Trajectories, *, longest: int) -> CellModel:
    """Count what the demonstrations' cells hold at the times 0 to `longest`."""
    held = contents(trajectories.frames)  # frame cell
    known, place = held.unique(return_inverse=True)
    n_contents, n_cells = len(known) + 1, held.shape[1]
    count = torch.zeros(longest + 1, n_cells, n_contents, dtype=torch.float64)
    time = trajectories.time.long().clamp(max=longest)
    for now in range(longest + 1):
        shown, times = trajectories.frame_id[time == now].long().unique(return_counts=True)
        at = place[shown].T  # cell shown
        count[now].scatter_add_(1, at, times.double().expand(n_cells, -1))
    count += PSEUDO_COUNT / n_contents
    return CellModel(known, (count / count.sum(-1, keepdim=True)).log())
