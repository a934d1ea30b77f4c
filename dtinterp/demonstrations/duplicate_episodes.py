"""Which episodes have the same frames and actions."""

from collections import defaultdict
from hashlib import blake2b

import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories

DIGEST_BYTES = 16
"""A content is remembered by a hash of so many bytes: no two have been known to share one."""


def episode_content(trajectories: Trajectories) -> Int64[Tensor, " episode"]:
    """Number the distinct (frames, actions) sequences in order of first appearance."""
    frames, actions = trajectories.frame_id.numpy(), trajectories.action.numpy()
    number: defaultdict[bytes, int] = defaultdict(lambda: len(number))
    ends = torch.cumsum(trajectories.length.long(), 0).tolist()
    starts = trajectories.first_step.tolist()
    contents = [
        number[blake2b(frames[start:end].tobytes() + actions[start:end].tobytes(), digest_size=DIGEST_BYTES).digest()]
        for start, end in zip(starts, ends, strict=True)
    ]
    return torch.tensor(contents, dtype=torch.int64)
