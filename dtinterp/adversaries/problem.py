"""A search problem, and the tally of what a strategy has evaluated of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.edits.observation_edit import EditTable
from dtinterp.adversaries.naturalness import Budget, Naturalness
from dtinterp.adversaries.objectives.objective import Objective
from dtinterp.dictionary.dictionary import Dictionary

IN_A_PIECE = 1024
"""Sets of edits whose embeddings are held at once."""
Sets = Int64[Tensor, "candidate size"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Which edits there are, what they may cost, and what they shall flip."""

    window: EditedWindow
    table: EditTable
    naturalness: Naturalness
    objective: Objective
    budget: Budget
    features: Dictionary | None = None
    """of the observation embedding, to guide strategies by; None: they are guided by nothing"""

    @cached_property
    def differences(self) -> Float32[Tensor, "edit real d_model"]:
        """What each edit adds to the embeddings."""
        return self.window.differences(self.table)

    @cached_property
    def original(self) -> float:
        """The objective's value as things are."""
        return float(self.values(torch.full((1, 1), -1)))

    @torch.no_grad()
    def values(self, sets: Sets) -> Float[Tensor, " candidate"]:
        """Return the objective's value with each set of edits; numbers of -1 are no edits."""
        return torch.cat([self._values(part) for part in sets.split(IN_A_PIECE)])

    def allowed(self, sets: Sets) -> Int64[Tensor, "kept size"]:
        """Return the sets that keep to the budget."""
        return sets[self.naturalness.allows(sets, self.budget)]

    @cached_property
    def slopes(self) -> Float[Tensor, "real d_model"]:
        """The gradient of the value along each embedding, at the window as it is."""
        at = torch.zeros_like(self.differences[:1], requires_grad=True)
        value = self.objective.values(self.window, at, torch.zeros(1, dtype=torch.int64))
        (gradient,) = torch.autograd.grad(value.sum(), at)
        return gradient[0]

    def adversarial(self, edits: Sequence[int]) -> UInt8[Tensor, "real view view 3"]:
        """Return the window with a set of edits."""
        return self.table.edited(torch.tensor([list(edits)]))[0]

    def first_order(self) -> Float[Tensor, " edit"]:
        """Return the change of the value that each edit makes to first order."""
        return (self.differences * self.slopes).sum((1, 2))

    def linear(self) -> Float[Tensor, " edit"] | None:
        """Return the exact change that each edit makes where these add up; None where the objective is not linear."""
        slopes = self.objective.slopes(self.window)
        return None if slopes is None else (self.differences * slopes).sum((1, 2))

    def _values(self, sets: Sets) -> Float[Tensor, " candidate"]:
        added = torch.zeros(len(sets), *self.differences.shape[1:])
        last = self.window.scene.n_real - 1
        first = torch.full((len(sets),), last)
        for column in sets.T:
            is_edit = column >= 0
            added += self.differences[column] * is_edit[:, None, None]
            first = torch.where(is_edit, first.minimum(self.table.first[column]), first)
        return self.objective.values(self.window, added, first)


@dataclass(frozen=True)
class Found:
    """A set of edits and the objective's value with it."""

    edits: tuple[int, ...]
    value: float
    nats: float = 0.0
    """by which its window is likelier than the original; worked out where it matters"""


@dataclass
class Tally:
    """What a strategy has evaluated so far; it stops where the budget of candidates is spent."""

    problem: Problem
    left: int
    """candidates that may still be evaluated"""
    n_probed: int = 0
    """edits whose value was asked alone though they are not allowed alone, to rank sets by"""
    n_evaluated: dict[int, int] = field(default_factory=dict)
    """by number of edits, as for the next six"""
    n_flipping: dict[int, int] = field(default_factory=dict)
    n_keeping: dict[int, int] = field(default_factory=dict)
    """sets that flip, though what is best stays nearest"""
    n_undecided: dict[int, int] = field(default_factory=dict)
    """sets that flip, and are as near to windows where something else is best"""
    best: dict[int, Found] = field(default_factory=dict)
    likeliest: dict[int, Found] = field(default_factory=dict)
    """among sets that flip, the one whose window is likeliest"""
    likeliest_keeping: dict[int, Found] = field(default_factory=dict)
    """the same among those whose nearest possible windows leave what is best as it is"""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """lowest value after so many candidates, wherever it fell"""

    @property
    def total(self) -> int:
        """Candidates evaluated."""
        return self.n_probed + sum(self.n_evaluated.values())

    @property
    def lowest(self) -> float:
        """The lowest value found, or the original's."""
        return self.curve[-1][1] if self.curve else self.problem.original

    def evaluate(self, sets: Sets) -> Float[Tensor, " evaluated"]:
        """Return the values of the first sets, as far as the budget goes, and remember what they say."""
        sets = sets[: self.left]
        values = self.problem.values(sets) if len(sets) else torch.zeros(0)
        self.left -= len(sets)
        sizes = (sets >= 0).sum(1)
        self._follow(values)
        for size in sizes.unique().tolist():
            rows = (sizes == size).nonzero()[:, 0]
            self._remember(size, sets[rows], values[rows])
        return values

    def probe(self) -> Float[Tensor, " edit"]:
        """Evaluate each edit alone, and return what it adds to the value; those that are not allowed count, too."""
        singles = torch.arange(len(self.problem.table))[:, None]
        exact = self.problem.linear()
        gains = self.problem.values(singles) - self.problem.original if exact is None else exact
        allowed = self.problem.allowed(singles)
        self.n_probed += len(singles) - len(allowed)
        self.left = max(self.left - self.n_probed, 0)
        self.evaluate(allowed)
        return gains

    def smallest(self) -> int | None:
        """Return the fewest edits that were found to flip; None where none were."""
        return min((size for size, count in self.n_flipping.items() if count), default=None)

    def _follow(self, values: Float[Tensor, " candidate"]) -> None:
        if len(values):
            lowest = values.cummin(0).values.minimum(torch.tensor(self.lowest))
            before = torch.cat([torch.tensor([self.lowest]), lowest[:-1]])
            for row in (lowest < before).nonzero()[:, 0].tolist():
                self.curve.append((self.total + row + 1, float(lowest[row])))

    def _remember(self, size: int, sets: Sets, values: Float[Tensor, " candidate"]) -> None:
        self.n_evaluated[size] = self.n_evaluated.get(size, 0) + len(sets)
        flips = values < 0
        self.n_flipping[size] = self.n_flipping.get(size, 0) + int(flips.sum())
        lowest = int(values.argmin())
        if size not in self.best or values[lowest] < self.best[size].value:
            self.best[size] = _found(sets[lowest], float(values[lowest]))
        keeps, costs = flips.clone(), self.problem.naturalness
        same, other = costs.cells_from_same(sets[flips]), costs.cells_from_other(sets[flips])
        keeps[flips] = same < other
        self.n_undecided[size] = self.n_undecided.get(size, 0) + int((same == other).sum())
        self.n_keeping[size] = self.n_keeping.get(size, 0) + int(keeps.sum())
        self._keep_likeliest(self.likeliest, size, sets[flips], values[flips])
        self._keep_likeliest(self.likeliest_keeping, size, sets[keeps], values[keeps])

    def _keep_likeliest(
        self, kept: dict[int, Found], size: int, sets: Sets, values: Float[Tensor, " candidate"]
    ) -> None:
        if len(sets):
            nats = self.problem.naturalness.nats(sets)
            row = int(nats.argmax())
            if size not in kept or float(nats[row]) > kept[size].nats:
                kept[size] = _found(sets[row], float(values[row]), float(nats[row]))


def _found(edits: Int64[Tensor, " size"], value: float, nats: float = 0.0) -> Found:
    return Found(tuple(edits[edits >= 0].tolist()), value, nats)


def share_of_optimum(tally: Tally, optimum: float, at: Mapping[str, int]) -> dict[str, float]:
    """Return how far towards the optimum the lowest value had come after so many candidates: 0 the original, 1 it."""
    original = tally.problem.original
    reached = {
        name: min((value for n, value in tally.curve if n <= budget), default=original) for name, budget in at.items()
    }
    return {name: (original - value) / (original - optimum) for name, value in reached.items()}
