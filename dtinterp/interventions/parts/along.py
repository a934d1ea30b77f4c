"""A direction, or several that span a subspace: the coordinates are what a row holds along each."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from pydantic import StrictStr
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, require_meaning
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.parts.part import Part, require_length, require_orthonormal
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class Along(Part):
    """Orthonormal directions; moving along them leaves whatever is orthogonal to them as it is."""

    basis: Float32[Tensor, "coordinate d_model"]
    found_at: str = OBSERVATION_EMBEDDING
    """site of the rows that the directions were found in"""

    def __post_init__(self) -> None:
        """Refuse directions that are not orthonormal."""
        require_orthonormal(self.basis)

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return x·f for each direction f."""
        require_length(rows, self.basis)
        return rows @ self.basis.T

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + Σ b f."""
        require_length(rows, self.basis)
        return rows + by @ self.basis

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where vectors of the directions' site mean something else."""
        require_meaning(model, self.found_at, site)

    @property
    def directions(self) -> Float32[Tensor, "coordinate column"]:
        """The basis."""
        return self.basis


def along(direction: Float32[Tensor, " d_model"], found_at: str = OBSERVATION_EMBEDDING) -> Along:
    """Return the part along one direction of length 1."""
    return Along(direction[None], found_at)


@dataclass(frozen=True)
class ObliqueAlong(Along):
    """A direction among others that it is not orthogonal to: what rows hold along the others stays as it is.

    A row moves along the vector of the directions' span that is orthogonal to all others (a dual basis vector), so far
    that what it holds along the direction itself changes by the amount asked for.
    """

    beside: Float32[Tensor, "other d_model"] | None = None
    """the others, of length 1"""

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + b f*."""
        require_length(rows, self.basis)
        return rows + by @ self.directions

    @property
    def directions(self) -> Float32[Tensor, "coordinate column"]:
        """The dual vectors of the directions."""
        together = self.basis if self.beside is None else torch.cat([self.basis, self.beside])
        return torch.linalg.pinv(together).T[: len(self.basis)]


@dataclass(frozen=True)
class ItemEmbedding(Part):
    """The embedding of an item, such as a key in a cell; 1 is what showing the item adds to a row."""

    vector: Float32[Tensor, " d_model"]
    """row of the observation embedding, of any length"""

    def read(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row coordinate"]:
        """Return x·w / w·w."""
        require_length(rows, self.directions)
        return rows @ self.vector[:, None] / self.vector.square().sum()  # row 1

    def moved(
        self, rows: Float32[Tensor, "row column"], by: Float32[Tensor, "row coordinate"]
    ) -> Float32[Tensor, "row column"]:
        """Return x + b w."""
        require_length(rows, self.directions)
        return rows + by * self.vector

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where vectors of the embedding mean something else."""
        require_meaning(model, OBSERVATION_EMBEDDING, site)

    @property
    def directions(self) -> Float32[Tensor, "coordinate column"]:
        """The embedding."""
        return self.vector[None]


class Direction(Data):
    """Along one direction, or several, by the name that they have among the directions of the experiment."""

    direction: StrictStr
    """name of a direction"""
    beside: tuple[StrictStr, ...] = ()
    """names of others that an oblique edit leaves alone"""

    def part(self, names: Bindings) -> Part:
        """Return the part. Raises `UserError` where a name stands for nothing."""
        return _along(names, self.direction)

    def oblique(self, names: Bindings) -> Part:
        """Return the part that leaves the others alone."""
        if not self.beside:
            raise UserError(f"direction {self.direction!r} stands beside none: name in `beside` those to leave alone.")
        own, others = _along(names, self.direction), [_along(names, name).basis for name in self.beside]
        return ObliqueAlong(own.basis, own.found_at, torch.cat(others))


class Item(Data):
    """The embedding of an item of the observation."""

    item: StrictStr
    """such as "key (2,6)": what is in a cell of the view"""

    def part(self, names: Bindings) -> Part:
        """Return the part. Raises `UserError` where there is no such item."""
        return ItemEmbedding(names.item(self.item))


class Span(Data):
    """All directions of a subspace together."""

    subspace: StrictStr
    """name of a direction that has several"""

    def part(self, names: Bindings) -> Part:
        """Return the part. Raises `UserError` where the name stands for nothing."""
        return _along(names, self.subspace)


def _along(names: Bindings, name: str) -> Along:
    return Along(*names.direction(name))
