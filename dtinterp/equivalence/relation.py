"""Distances between observations as one symmetric table."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class Relation:
    """How far apart each two of the chosen frames are; 0 where nothing tells them apart."""

    mean: Float32[Tensor, "frame frame"]
    """mean divergence over contexts, in bits"""
    maximum: Float32[Tensor, "frame frame"]
    """largest divergence over contexts, in bits"""
    n_contexts: Int64[Tensor, "frame frame"]
    """contexts in which one of the two stood in for the other"""
    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    name: str

    def __post_init__(self) -> None:
        """Refuse tables that are not symmetric, not zero on the diagonal, or outside 0 to 1 bit."""
        for title, divergence in (("mean", self.mean), ("largest", self.maximum)):
            if not torch.equal(divergence, divergence.T):  # NaN is caught here too: it equals nothing
                raise ValueError(f"the {title} divergences of {self.name!r} are not symmetric")
            if divergence.diagonal().any():
                raise ValueError(f"a frame of {self.name!r} has a {title} divergence from itself, expected exactly 0")
            if len(divergence) and not 0 <= float(divergence.min()) <= float(divergence.max()) <= 1:
                raise ValueError(f"a {title} divergence of {self.name!r} lies outside 0 to 1 bit")
        if not torch.equal(self.n_contexts, self.n_contexts.T) or (self.n_contexts < 1).any():
            raise ValueError(f"the context counts of {self.name!r} are not symmetric, or some pair was never tried")

    @property
    def n_frames(self) -> int:
        """The number of frames compared."""
        return len(self.frame_id)
