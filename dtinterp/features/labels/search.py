"""Search for the conjunction of statements that tells best when a feature fires.

A conjunction's worth is what it saves: bits to write the firings down without it, less those with it, less its own
length (see `saved_bits`). Its length is log2 of the number of allowed sizes, one bit for the sign of each literal, and
the bits of each statement. All conjunctions of one literal are tried, and of more literals those that extend one of the
`beam` best of the size below. Counting is one product of 0/1 matrices for all features, all of their beams and all
statements together; counts below 2^24 are exact in float32.
"""

from dataclasses import dataclass, fields
from functools import cache
from math import log2

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.features.labels.predicates import Predicates

NONE = -1
"""Stands where a conjunction has fewer literals."""
COLUMNS_AT_ONCE = 512
"""Conjunctions that are extended together; their tables stay in the cache's reach."""


@dataclass(frozen=True)
class Conjunctions:
    """One conjunction of literals for each feature, or several; the one without literals is true everywhere."""

    statement: Int64[Tensor, "*shape literal"]
    """column of the predicates; `NONE` where there is no further literal"""
    is_negated: Bool[Tensor, "*shape literal"]
    worth: Float32[Tensor, "*shape"]
    """bits saved after the label itself is paid; without literals, 0"""

    def holds(self, predicates: Predicates) -> Bool[Tensor, " row *shape"]:
        """Return in which rows each conjunction is true."""
        true = predicates.holds[:, self.statement.clamp_min(0)] ^ self.is_negated  # row *shape literal
        return (true | (self.statement == NONE)).all(dim=-1)

    def words(self, predicates: Predicates) -> tuple[str, ...]:
        """Write each feature's conjunction, such as `key ahead and not wall at (3,5)`; empty for no literals."""
        pairs = zip(self.statement.tolist(), self.is_negated.tolist(), strict=True)
        return tuple(
            " and ".join(
                ("not " if negated else "") + predicates.words[place]
                for place, negated in zip(places, negations, strict=True)
                if place != NONE
            )
            for places, negations in pairs
        )


def search(fires: Bool[Tensor, "row feature"], predicates: Predicates, *, n_literals: int, beam: int) -> Conjunctions:
    """Return for each feature the conjunction of most worth; of none where none is worth its length.

    Only conjunctions of which firing is more frequent than elsewhere are considered.
    """
    n_at_once = max(1, COLUMNS_AT_ONCE // beam)
    blocks = [_of_block(block, predicates, n_literals, beam) for block in fires.split(n_at_once, dim=1)]
    return Conjunctions(
        *(torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(Conjunctions))
    )


def _of_block(fires: Bool[Tensor, "row feature"], predicates: Predicates, n_literals: int, beam: int) -> Conjunctions:
    n_features = fires.shape[1]
    empty = torch.full((n_features, 1, n_literals), NONE)
    held = Conjunctions(empty, torch.zeros_like(empty, dtype=torch.bool), torch.zeros(n_features, 1))
    best = Conjunctions(held.statement[:, 0], held.is_negated[:, 0], held.worth[:, 0])
    paid = log2(n_literals) + torch.zeros(n_features, 1)  # feature beam
    for size in range(n_literals):
        held, paid = _extended(held, paid, fires, predicates, _Step(size, beam))
        is_better = held.worth[:, 0] > best.worth
        best = Conjunctions(
            torch.where(is_better[:, None], held.statement[:, 0], best.statement),
            torch.where(is_better[:, None], held.is_negated[:, 0], best.is_negated),
            torch.maximum(held.worth[:, 0], best.worth),
        )
    return best


@dataclass(frozen=True)
class _Step:
    size: int
    """literals that there are already"""
    beam: int


def _extended(
    held: Conjunctions,
    paid: Float32[Tensor, "feature beam"],
    fires: Bool[Tensor, "row feature"],
    predicates: Predicates,
    step: _Step,
) -> tuple[Conjunctions, Float32[Tensor, "feature kept"]]:
    """Return the most worthy conjunctions with one literal more, and the bits that they take to write."""
    worth, n_said, n_both = _tried(held, fires, predicates)
    worth = worth - paid[:, :, None] - 1 - torch.cat([predicates.bits, predicates.bits])  # feature beam literal
    place = _best_distinct(worth.flatten(1), n_said.flatten(1), n_both.flatten(1), step.beam)
    n_statements = predicates.holds.shape[1]
    source, literal = place // (2 * n_statements), place % (2 * n_statements)
    chosen = literal % n_statements
    statement = held.statement.gather(1, source[:, :, None].expand(-1, -1, held.statement.shape[2])).clone()
    negated = held.is_negated.gather(1, source[:, :, None].expand(-1, -1, held.statement.shape[2])).clone()
    statement[:, :, step.size], negated[:, :, step.size] = chosen, literal >= n_statements
    extended = Conjunctions(statement, negated, worth.flatten(1).gather(1, place))
    return extended, paid.gather(1, source) + 1 + predicates.bits[chosen]


def _tried(
    held: Conjunctions, fires: Bool[Tensor, "row feature"], predicates: Predicates
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what every conjunction with every literal more would save, and how often it is said, and rightly."""
    n_features, beam = held.worth.shape
    so_far = held.holds(predicates)  # row feature beam
    both = so_far & fires[:, :, None]
    columns = torch.cat([so_far.flatten(1), both.flatten(1)], dim=1).float()  # row (feature beam twice)
    count = (
        (columns.T @ predicates.holds.float()).long().unflatten(0, (2, n_features, beam))
    )  # 2 feature beam statement
    whole = torch.stack([so_far.sum(dim=0), both.sum(dim=0)])[..., None]  # 2 feature beam 1
    n_said, n_both = torch.cat([count, whole - count], dim=3)  # feature beam literal
    n_fires = fires.sum(dim=0)[:, None, None].expand_as(n_both)
    saved = saved_bits(n_both, n_said, n_fires=n_fires, n_rows=len(fires))
    goes_with = n_both * len(fires) > n_said * n_fires
    return torch.where(goes_with, saved, -torch.inf), n_said, n_both


def _best_distinct(
    worth: Float32[Tensor, "feature candidate"],
    n_said: Int64[Tensor, "feature candidate"],
    n_both: Int64[Tensor, "feature candidate"],
    beam: int,
) -> Int64[Tensor, "feature beam"]:
    """Return the places of the most worthy candidates, passing over those with the same two counts as a better one.

    Equal counts mean, nearly always, the same rows: a beam of copies would look no further than a beam of one.
    """
    value, place = worth.topk(min(8 * beam, worth.shape[1]), dim=1)  # feature candidate
    mark = n_said.gather(1, place) * (int(n_said.max()) + 1) + n_both.gather(1, place)
    is_copy = (mark[:, :, None] == mark[:, None, :]).tril(-1).any(dim=2)
    order = torch.where(is_copy, -torch.inf, value).argsort(dim=1, descending=True, stable=True)
    return place.gather(1, order[:, : min(beam, worth.shape[1])])


def saved_bits(
    n_both: Int64[Tensor, "*shape"],
    n_said: Int64[Tensor, "*shape"],
    *,
    n_fires: Int64[Tensor, "*shape"],
    n_rows: int,
) -> Float32[Tensor, "*shape"]:
    """Return how many bits a label saves in telling which of `n_rows` rows a feature fires in, its own length not paid.

    Known is in how many rows k it fires (`n_fires`). Without a label the pattern takes log2 C(n, k) bits. With one that
    is said of m rows (`n_said`), t of which fire (`n_both`), it takes

        log2(min(m, k) + 1) + log2 C(m, t) + log2 C(n - m, k - t).

    Both are lengths of a prefix code (Grünwald 2007, The Minimum Description Length Principle, ch. 3). So once labels
    are paid for with a prefix code too, at most a share 2^-b of all patterns with k firings can save b bits or more
    with any label of the language: that is the chance for a shuffled feature.
    """
    table = _log2_factorial(n_rows).to(n_both.device)

    def log2_choose(n: Tensor, k: Tensor) -> Float64[Tensor, "*shape"]:
        return table[n] - table[k] - table[n - k]

    without = log2_choose(torch.full_like(n_fires, n_rows), n_fires)
    share = (torch.minimum(n_said, n_fires) + 1).double().log2()
    told = share + log2_choose(n_said, n_both) + log2_choose(n_rows - n_said, n_fires - n_both)
    return (without - told).float()


@cache
def _log2_factorial(n: int) -> Float64[Tensor, " number"]:
    """Return log2 of 0! to n!."""
    return torch.cat(
        [torch.zeros(1, dtype=torch.float64), torch.arange(1, n + 1, dtype=torch.float64).log2().cumsum(0)]
    )
