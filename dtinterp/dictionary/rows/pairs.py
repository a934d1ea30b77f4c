"""What a layer reads and what it writes become rows that are drawn together."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import check_rows
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Pairs:
    """Rows that a layer read and the rows that it wrote. Raises `UserError` where there is nothing to learn."""

    inputs: Float32[Tensor, "row d_in"]
    outputs: Float32[Tensor, "written d_out"]
    """as many as inputs, in the same order"""
    site: str = ""
    """what was read and written, such as blocks.0.mlp"""
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None
    """how often each pair counts, >= 0, any sum; None: once"""

    def __post_init__(self) -> None:
        """Refuse tables of different number, NaN, and inputs that are all alike."""
        if len(self.inputs) != len(self.outputs):
            raise UserError(
                f"There are {len(self.inputs)} inputs and {len(self.outputs)} outputs, expected as many: give pairs."
            )
        for rows in (self.inputs, self.outputs):
            check_rows(rows, rows.shape[1])
        if (self.inputs == self.inputs[0]).all():
            raise UserError(
                f"All {len(self.inputs)} inputs are the same vector, expected at least 2 distinct ones: harvest more "
                "varied windows."
            )


@dataclass(frozen=True)
class PairBatch:
    """What is read and what is written in its place, each pair with one weight."""

    inputs: Batch
    """normalised and centred"""
    outputs: Batch
    """normalised, in units of their own"""

    @classmethod
    def split(cls, batch: Batch) -> "PairBatch":
        """Return the pairs that `joined` made rows of, where inputs and outputs are of one length."""
        inputs, outputs = (half.contiguous() for half in batch.rows.chunk(2, dim=-1))  # *member row d_model
        return cls(Batch(inputs, batch.weight), Batch(outputs, batch.weight))

    @property
    def joined(self) -> Batch:
        """The pairs as rows of one table, each input with its output behind it: so they are drawn together."""
        both = torch.cat([self.inputs.rows, self.outputs.rows], dim=-1)  # *member row both
        return Batch(both, self.inputs.weight)
