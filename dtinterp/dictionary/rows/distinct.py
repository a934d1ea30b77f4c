"""Distinct rows with their counts, and the rank of the space that rows span."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

RELATIVE_TOLERANCE = 1e-5
"""Rows that differ by less than this share of the root mean square are one input: a network gives the same context
slightly different float32 numbers in different batches."""
NEIGHBOURS = 8
"""With how many neighbours in the sorted order a row is compared."""
PART = 2**16
"""Rows that are looked at together: more are taken in parts, so that of rows on disk only distinct ones are held."""


@dataclass(frozen=True)
class DistinctRows:
    """A table of distinct rows, in order of first appearance."""

    value: Float32[Tensor, "distinct d_model"]
    count: Int64[Tensor, " distinct"]
    """how many rows each stands for"""
    member: Int64[Tensor, " row"]
    """the distinct row that each row is"""


def distinct_rows(rows: Float32[Tensor, "row d_model"]) -> DistinctRows:
    """Return the distinct rows: rows closer than `RELATIVE_TOLERANCE` in every coordinate are one.

    Rows are sorted along one fixed direction, compared with their neighbours there and joined into connected
    components. More than `PART` rows are taken in parts, each compared with the distinct rows before it, and the
    tolerance is relative to what is compared.
    """
    found = _distinct(rows[:PART])
    while len(found.member) < len(rows):
        done = len(found.member)
        found = _followed_by(found, rows[done : done + max(PART, len(found.value))])
    return found


def _followed_by(found: DistinctRows, more: Float32[Tensor, "row d_model"]) -> DistinctRows:
    """Return the distinct rows of what is known and of the rows behind it."""
    both = _distinct(torch.cat([found.value, more]))
    known, new = both.member[: len(found.value)], both.member[len(found.value) :]
    count = torch.bincount(new, minlength=len(both.value)).index_add(0, known, found.count)
    return DistinctRows(both.value, count, torch.cat([known[found.member], new]))


def _distinct(rows: Float32[Tensor, "row d_model"]) -> DistinctRows:
    member = _in_order_of_appearance(_components(rows.detach().cpu()))
    first = np.unique(member, return_index=True)[1]
    count = torch.from_numpy(np.bincount(member)).to(rows.device)
    return DistinctRows(
        value=rows[torch.from_numpy(first).to(rows.device)],  # distinct d_model
        count=count,
        member=torch.from_numpy(member).to(rows.device),
    )


def rank_of(rows: Float32[Tensor, "row d_model"]) -> int:
    """Return how many singular values exceed `RELATIVE_TOLERANCE` times the largest; the rows are not centred."""
    singular = _singular_values(rows.double())
    return int((singular > RELATIVE_TOLERANCE * singular.max()).sum())


def effective_rank_of(rows: Float32[Tensor, "row d_model"]) -> float:
    """Return `exp(-sum_i p_i log p_i)`, with p_i the share of singular value i of the centred rows; 0 for one row.

    Roy & Vetterli 2007, "The effective rank", EUSIPCO, eq. 4.
    """
    centred = rows.double() - rows.double().mean(dim=0)
    singular = _singular_values(centred)
    if singular.sum() <= RELATIVE_TOLERANCE * rows.double().norm():
        return 0.0
    share = singular / singular.sum()
    return float(torch.special.entr(share).sum().exp())


def _singular_values(rows: Float64[Tensor, "row d_model"]) -> Float64[Tensor, " d_model"]:
    """Return them as roots of the Gram matrix's eigenvalues: cheap for many rows, exact to 1e-8 of the largest."""
    return torch.linalg.eigvalsh(rows.T @ rows).clamp_min(0).sqrt()


def _components(rows: Float32[Tensor, "row d_model"]) -> Int64[np.ndarray, " row"]:
    d_model = rows.shape[1]
    direction = torch.sin(torch.arange(1, d_model + 1, dtype=torch.float64) ** 2)  # no symmetry of a gridworld has it
    order = torch.argsort(rows.double() @ direction, stable=True)
    ordered = rows[order]
    tolerance = RELATIVE_TOLERANCE * float(rows.square().mean().sqrt())
    links = [_links(ordered, distance, tolerance) for distance in range(1, min(NEIGHBOURS, len(rows) - 1) + 1)]
    left, right = torch.cat(links, dim=1).numpy() if links else np.zeros((2, 0), dtype=np.int64)  # end link
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(rows), len(rows)))
    label = np.empty(len(rows), dtype=np.int64)
    label[order.numpy()] = connected_components(graph, directed=False)[1]
    return label


def _links(ordered: Float32[Tensor, "row d_model"], distance: int, tolerance: float) -> Int64[Tensor, "end link"]:
    """Return the places that hold the same row `distance` apart."""
    is_same = ((ordered[distance:] - ordered[:-distance]).abs() <= tolerance).all(dim=1)
    left = is_same.nonzero().squeeze(1)
    return torch.stack([left, left + distance])  # end link


def _in_order_of_appearance(label: Int64[np.ndarray, " row"]) -> Int64[np.ndarray, " row"]:
    first, inverse = np.unique(label, return_index=True, return_inverse=True)[1:]
    return np.argsort(np.argsort(first))[inverse]
