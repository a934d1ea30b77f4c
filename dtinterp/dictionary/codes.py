"""Sparse codes, and how rows are written in given directions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

N_SWEEPS = 100
"""Rounds of coordinate descent for non-negative codes."""
NEGLIGIBLE = 1e-6
"""A direction that is left with less than this share of its length beside those taken up already adds nothing."""


@dataclass(frozen=True)
class Codes:
    """The active features of each row; where the value is 0 the entry is padding and its index means nothing."""

    index: Int64[Tensor, "row k"]
    """which features; no active feature stands twice in a row"""
    value: Float[Tensor, "row k"]
    """how active, in normalised units; negative only for linear components and for matching pursuit"""

    def __post_init__(self) -> None:
        """Check that there is one value per index."""
        if self.index.shape != self.value.shape:
            raise ValueError(f"codes have {tuple(self.index.shape)} indices and {tuple(self.value.shape)} values")

    @property
    def n_active(self) -> Int64[Tensor, " row"]:
        """How many features each row uses: its L0."""
        return (self.value != 0).sum(dim=1)


def largest(activation: Float[Tensor, "row feature"], k: int) -> Codes:
    """Return the k largest activations of each row, largest first."""
    value, index = activation.topk(k, dim=1)
    return Codes(index, value)


def active(activation: Float[Tensor, "row feature"]) -> Codes:
    """Return the activations above zero; there is room for as many as the fullest row has."""
    return largest(activation, max(1, int((activation > 0).sum(dim=1).max())))


def every(activation: Float[Tensor, "row feature"]) -> Codes:
    """Return all activations, in order."""
    index = torch.arange(activation.shape[1], device=activation.device).expand(len(activation), -1)  # row k
    return Codes(index, activation)


def pursue(rows: Float32[Tensor, "row d_model"], directions: Float32[Tensor, "feature d_model"], k: int) -> Codes:
    """Return orthogonal matching pursuit's codes of all rows at once (Pati, Rezaiifar & Krishnaprasad 1993).

    k times, each row takes up the direction whose cosine with what is left of the row is largest in size, and the row
    is projected on all that it has taken up. Rows that have nothing left, or are offered nothing new, stop early.
    """
    unit = torch.nn.functional.normalize(directions, dim=1)
    rest = rows.clone()
    index = torch.zeros(len(rows), k, dtype=torch.int64, device=rows.device)
    value = rows.new_zeros(len(rows), k)
    frame = rows.new_zeros(len(rows), k, rows.shape[1])  # row k d_model, orthonormal over what was taken up
    triangle = torch.eye(k, device=rows.device).repeat(len(rows), 1, 1)  # row k k, directions = triangle frame
    along = rows.new_zeros(len(rows), k)
    for turn in range(k):
        chosen = (rest @ unit.T).abs().argmax(dim=1)  # row
        direction = unit[chosen]  # row d_model
        shadow = torch.einsum("rkd,rd->rk", frame, direction)
        fresh = direction - torch.einsum("rk,rkd->rd", shadow, frame)
        length = fresh.norm(dim=1)
        is_new = (length > NEGLIGIBLE) & (rest.norm(dim=1) > NEGLIGIBLE * rows.norm(dim=1))
        step = torch.where(is_new[:, None], fresh / length.clamp_min(NEGLIGIBLE)[:, None], 0.0)
        index[:, turn], frame[:, turn] = chosen, step
        triangle[:, turn, :turn] = torch.where(is_new[:, None], shadow[:, :turn], 0.0)
        triangle[:, turn, turn] = torch.where(is_new, length, 1.0)
        along[:, turn] = (rest * step).sum(dim=1)
        rest = rest - along[:, turn, None] * step
    value = torch.linalg.solve_triangular(triangle.mT, along[:, :, None], upper=True).squeeze(2)  # row k
    return Codes(index, value / directions.norm(dim=1)[index].clamp_min(NEGLIGIBLE))


def nonnegative(
    rows: Float32[Tensor, "row d_model"], directions: Float32[Tensor, "feature d_model"]
) -> Float32[Tensor, "row feature"]:
    """Return `argmin_{z >= 0} |x - z directions|^2` for each row by cyclic coordinate descent from zero.

    Each step sets one entry to its optimum given the others, so the error never rises (Cichocki & Phan 2009, IEICE
    E92-A:708, alg. 2); after `N_SWEEPS` rounds it is stationary to float32 unless directions nearly coincide.
    """
    gram = directions @ directions.T  # feature feature
    reach = rows @ directions.T  # row feature
    length = gram.diagonal().clamp_min(NEGLIGIBLE)
    code = torch.zeros_like(reach)
    for _ in range(N_SWEEPS):
        for feature in range(len(directions)):
            slope = reach[:, feature] - code @ gram[:, feature]
            code[:, feature] = (code[:, feature] + slope / length[feature]).relu()
    return code
