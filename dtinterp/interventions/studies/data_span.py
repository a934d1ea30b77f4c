"""The subspace-patching illusion: whether a direction acts by what rows really vary in, or by what no row ever shows.

Makelov et al. 2024 (arXiv:2311.17030): exchanging one direction may work because a part of it that lies in the span of
the data sets off a part outside it, which the network reads although no input ever moves it. So the direction is split
into both, and each part is exchanged alone, by as much as the whole direction would move it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.studies.exchange import Exchange

NEGLIGIBLE = 1e-4
"""Share of the largest singular value below which rows do not vary."""


@dataclass(frozen=True)
class SpanShare:
    """What a direction does, and what its part in the span of the data does, and the rest."""

    name: str
    share: float
    """of the direction's squared length that lies in the span"""
    n_dimensions: int
    """of the span"""
    restored: float
    """share of the partner's effect when the whole direction is exchanged"""
    within: float
    """the same of the part in the span"""
    beyond: float
    """the same of the part outside it, which no row varies in"""
    within_alone: float
    """the same of the part in the span as a direction of its own, of length 1"""
    turned: Interval
    """share of windows that turn when the whole direction is exchanged"""
    turned_within: Interval
    turned_beyond: Interval

    @property
    def is_illusion(self) -> bool:
        """Whether the whole direction turns windows that its part in the data's span does not, by intervals."""
        return self.turned.low > self.turned_within.high


def span_of(rows: Float32[Tensor, "row d_model"]) -> Float32[Tensor, "dimension d_model"]:
    """Return an orthonormal basis of what rows vary in."""
    _, singular, vectors = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
    return vectors[singular > NEGLIGIBLE * singular[0]]


def span_shares(
    exchange: Exchange,
    directions: Mapping[str, Float32[Tensor, " d_model"]],
    *,
    data: Float32[Tensor, "row d_model"] | None = None,
) -> tuple[SpanShare, ...]:
    """Split each direction by the span of `data`, by default of the first frames' tokens themselves."""
    basis = span_of(exchange.rows if data is None else data)
    return tuple(_split(exchange, name, direction, basis) for name, direction in directions.items())


def _split(
    exchange: Exchange, name: str, direction: Float32[Tensor, " d_model"], basis: Float32[Tensor, "dimension d_model"]
) -> SpanShare:
    within = (direction @ basis.T) @ basis
    moved = (exchange.wanted - exchange.rows) @ direction  # window
    whole, inside, outside = (_moving(part, moved) for part in (direction, within, direction - within))
    own = within / within.norm().clamp_min(1e-12)
    alone = _moving(own, (exchange.wanted - exchange.rows) @ own)
    n = len(exchange.chosen)
    return SpanShare(
        name=name,
        share=float(within.square().sum()),
        n_dimensions=len(basis),
        restored=exchange.restored(whole),
        within=exchange.restored(inside),
        beyond=exchange.restored(outside),
        within_alone=exchange.restored(alone),
        turned=wilson(exchange.turned(whole), n),
        turned_within=wilson(exchange.turned(inside), n),
        turned_beyond=wilson(exchange.turned(outside), n),
    )


def _moving(vector: Float32[Tensor, " d_model"], by: Float32[Tensor, " window"]) -> Edit:
    """Return the edit that adds a multiple of a vector of any length to each row; nothing where it has none."""
    length = float(vector.norm())
    if length < 1e-6:
        unmoved = torch.zeros_like(vector)
        unmoved[0] = 1.0
        return Adding(along(unmoved), torch.zeros_like(by))
    return Adding(along(vector / length), by * length)
