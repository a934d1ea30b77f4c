"""Steps that show some frames become the facts that hold in all of them."""

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.table import FactValue


def shared_facts(trajectories: Trajectories, frame_id: Int64[Tensor, " member"]) -> tuple[FactValue, ...]:
    """Return the facts that have one value at all steps that show one of the frames, in the facts' order.

    The steps are those of the demonstrations: a fact may be shared by their choice of ways, and not by necessity.
    """
    is_member = torch.zeros(len(trajectories.frames), dtype=torch.bool)
    is_member[frame_id] = True
    facts = trajectories.facts[is_member[trajectories.frame_id.long()]]  # visit fact
    if len(facts) == 0:
        return ()
    lowest, highest = facts.amin(dim=0).tolist(), facts.amax(dim=0).tolist()
    return tuple(
        FactValue(name, low)
        for name, low, high in zip(trajectories.fact_names, lowest, highest, strict=True)
        if low == high
    )
