"""What every kind of dictionary says of itself, and checks of its settings.

In all formulas x is a row in normalised units, `a = (x - b_dec) W_enc + b_enc` its pre-activations, z its code and
`x' = z W_dec + b_dec` its reconstruction; the mean norm of x is sqrt(d_model).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, TypeAlias

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible

Weights: TypeAlias = dict[str, Tensor]
"""W_enc, b_enc, W_dec, b_dec and what else a kind has, by name."""


@dataclass(frozen=True)
class DictionaryKind(ABC):
    """What a dictionary may be, with its settings."""

    has_threshold: ClassVar[bool] = False
    """whether codes are read with a threshold for each feature"""
    has_skip: ClassVar[bool] = False
    """whether there is a linear path beside the code"""
    saelens: ClassVar[str | None] = None
    """SAELens's name for what computes the same; None where it knows none"""

    def n_features(self, width: int) -> int:
        """Return the width of the dictionary that will be made where `width` is asked for."""
        return width

    def check_width(self, width: int) -> None:
        """Raise `UserError` where a dictionary of this kind cannot have `width` features."""
        if width < 1:
            raise UserError(f"The dictionary's width is {width}, expected at least 1: give a larger width.")

    def check_rows(self, rows: Float32[Tensor, "row d_model"]) -> None:
        """Raise `UserError` where these rows are too few for it."""
        del rows

    @abstractmethod
    def title(self, width: int) -> str:
        """Return what a dictionary is called, for short."""

    @abstractmethod
    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return the active features of normalised rows, from which what the dictionary adds is taken away."""


def activation(centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Float32[Tensor, "row feature"]:
    """Return the pre-activations of all features."""
    return centred @ weights["W_enc"] + weights["b_enc"]


def require_count(kind: DictionaryKind, setting: str) -> None:
    """Raise `UserError` where a number of things is below one."""
    value = getattr(kind, setting)
    if not value >= 1:
        size = "k" if setting == "k" else "number"
        raise UserError(f"{type(kind).__name__} has {setting}={value}, expected at least 1: give a larger {size}.")
    require_sensible(kind)


def require_k_within(kind: DictionaryKind, k: int, width: int) -> None:
    """Raise `UserError` where a row may use more features than there are."""
    if k > width:
        raise UserError(
            f"{type(kind).__name__} has k={k}, expected at most the width {width}: give a smaller k or a larger width."
        )


def require_price(kind: DictionaryKind, coefficient: float) -> None:
    """Raise `UserError` where a price is negative or not finite."""
    if not (isfinite(coefficient) and coefficient >= 0):
        name = type(kind).__name__
        raise UserError(f"{name} has coefficient={coefficient}, expected a number from 0: give another one.")
    require_sensible(kind)
