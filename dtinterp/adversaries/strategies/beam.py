"""Greedy and beam search: the best sets found so far are extended by another edit, one after the other.

Which edits come first is told by the features that they move: at each frame, the change that an edit makes in a
dictionary's code, times what the objective loses along that feature's direction, summed over the features that matter
most. Without a dictionary every edit is as promising as any other, and all are tried.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dtinterp.adversaries.problem import Problem, Tally
from dtinterp.adversaries.strategies.strategy import Proof
from dtinterp.dictionary.dictionary import encode_dense

WIDTH = 8
"""Sets that a beam keeps."""
CRITICAL = 16
"""Features, over all frames, that guide."""
FIRST_TRIED = 16
"""Edits that a set is extended by at first; four times as many in each later round, until the budget is spent."""


def greedy(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Extend the one best set."""
    del generator
    return _rounds(problem, tally, width=1)


def beam(problem: Problem, tally: Tally, generator: torch.Generator) -> Proof:
    """Extend the `WIDTH` best sets."""
    del generator
    return _rounds(problem, tally, width=WIDTH)


def promises(problem: Problem) -> Float[Tensor, " edit"]:
    """Return what each edit is expected to do to the value by the features that it moves; zeros where none guide."""
    features = problem.features
    if features is None:
        return torch.zeros(len(problem.table))
    before = problem.window.embedded
    codes = encode_dense(features, (before + problem.differences).flatten(0, 1)).unflatten(0, (-1, len(before)))
    moved = codes - encode_dense(features, before)  # edit real feature
    effect = problem.slopes @ (features.W_dec * features.scale).T  # real feature
    largest = (moved.abs().amax(0) * effect.abs()).flatten()
    critical = torch.zeros_like(largest).index_fill(0, largest.topk(min(CRITICAL, len(largest))).indices, 1.0)
    return (moved * effect * critical.view_as(effect)).sum((1, 2))


def _rounds(problem: Problem, tally: Tally, *, width: int) -> Proof:
    order = promises(problem).argsort(stable=True)
    n_tried, known = FIRST_TRIED, dict[tuple[int, ...], float]()
    while tally.left and n_tried < 4 * len(order):
        kept = torch.zeros(1, 0, dtype=torch.int64)
        for _ in range(problem.budget.n_edits):
            kept = _extended(problem, tally, kept, order[:n_tried], known)[:width]
        n_tried *= 4
    return "none"


def _extended(
    problem: Problem,
    tally: Tally,
    kept: Int64[Tensor, "kept size"],
    edits: Int64[Tensor, " tried"],
    known: dict[tuple[int, ...], float],
) -> Int64[Tensor, "extended larger"]:
    """Return the kept sets, each with each of the edits added, in ascending order of their values.

    What is not allowed is not extended, either: sets that are allowed only whole are not found this way.
    """
    sets = torch.cat([kept.repeat_interleave(len(edits), 0), edits.repeat(len(kept))[:, None]], dim=1)
    sets = sets[problem.naturalness.table.are_apart(sets)].sort(1).values.unique(dim=0)
    sets = problem.allowed(sets)
    new = sets[torch.tensor([tuple(row) not in known for row in sets.tolist()], dtype=torch.bool)]
    values = tally.evaluate(new)
    known.update(zip(map(tuple, new.tolist()), values.tolist(), strict=False))  # as far as the budget went
    ranked = sorted((row for row in map(tuple, sets.tolist()) if row in known), key=lambda row: known[row])
    return torch.tensor(ranked, dtype=torch.int64).reshape(len(ranked), sets.shape[1])
