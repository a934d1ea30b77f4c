"""What every way to find directions is given, offers and returns."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.activations.sites import check_site
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import Data
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class Material:
    """What directions are found in."""

    subject: Subject
    site: str
    """whose rows are looked at; directions of items and of dictionaries have sites of their own"""
    windows: ChosenWindows
    dictionaries: Mapping[str, Dictionary] = field(default_factory=dict)
    """by name"""
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a site that the model lacks."""
        check_site(self.subject.model, self.site)

    def dictionary(self, name: str) -> Dictionary:
        """Return a dictionary. Raises `UserError` for one that was not given."""
        if name not in self.dictionaries:
            known = ", ".join(self.dictionaries) or "none is given"
            raise UserError(f"the dictionary is {name!r}, expected one of the subject's ({known}): name one of these.")
        return self.dictionaries[name]


@dataclass(frozen=True)
class FoundDirections:
    """Directions of length 1, and what each explains; together a subspace's orthonormal basis, where they are one."""

    vectors: Float32[Tensor, "direction d_model"]
    names: tuple[str, ...]
    """one a direction"""
    found_at: str
    """the site that they were found in"""
    explains: Mapping[str, float] = field(default_factory=dict)
    """what their kind tells of them, such as shares of variance or accuracies with their controls"""

    def __post_init__(self) -> None:
        """Refuse directions that point nowhere."""
        if len(self.names) != len(self.vectors) or not len(self.vectors):
            raise ValueError(f"{len(self.vectors)} directions have {len(self.names)} names")
        if not torch.allclose(self.vectors.norm(dim=1), torch.ones(len(self.vectors)), atol=1e-4):
            raise ValueError("a direction is not of length 1")


class DirectionFinder(Data, ABC):
    """A way to find directions; each kind is a class in a file of its own, with a literal `kind`."""

    @abstractmethod
    def find(self, material: Material) -> FoundDirections:
        """Return the directions; the same material gives the same bits. Raises `UserError` where there are none."""


def unit(vector: Float[Tensor, " d_model"], what: str) -> Float32[Tensor, " d_model"]:
    """Return a vector at length 1. Raises `UserError` where it has no direction, saying `what` it is."""
    if not float(vector.norm()) > 1e-12:
        raise UserError(f"{what} is zero, so it has no direction: choose other windows, items or another site.")
    return normalize(vector.detach().float(), dim=0)


def oriented(vector: Float32[Tensor, " d_model"], along: Float32[Tensor, " d_model"]) -> Float32[Tensor, " d_model"]:
    """Return the vector or its negative, whichever points along the other one."""
    return vector if float(vector @ along) >= 0 else -vector
