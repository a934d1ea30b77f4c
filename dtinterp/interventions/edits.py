"""Rows of a site become rows with one direction or one feature changed."""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.errors import UserError

Coefficient: TypeAlias = float | Float32[Tensor, " batch"]
"""One number for all rows, or one a row."""

TOLERANCE = 1e-4
"""How far the length of a unit direction may be from 1."""


@dataclass(frozen=True)
class SetDirection:
    """x ← x − (x·f) f + c f: the row's component along f becomes c, and nothing orthogonal to f moves."""

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse a direction that is not of length 1."""
        _require_unit(self.direction)


@dataclass(frozen=True)
class AddDirection:
    """x ← x + c f."""

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse a direction that is not of length 1."""
        _require_unit(self.direction)


@dataclass(frozen=True)
class AblateDirection:
    """x ← x − (x·f) f."""

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""

    def __post_init__(self) -> None:
        """Refuse a direction that is not of length 1."""
        _require_unit(self.direction)


@dataclass(frozen=True)
class PlaceboDirection:
    """x ← x + (c − x·f) r: each row moves exactly as far as `SetDirection(f, c)` would move it, but along r.

    The norm-matched control: only the direction differs from the edit that it is held against.
    """

    direction: Float32[Tensor, " d_model"]
    """f, of length 1"""
    placebo: Float32[Tensor, " d_model"]
    """r, of length 1"""
    coefficient: Coefficient
    """c, in activation units"""

    def __post_init__(self) -> None:
        """Refuse directions that are not of length 1."""
        _require_unit(self.direction)
        _require_unit(self.placebo)


@dataclass(frozen=True)
class SetFeature:
    """x ← x + (c − z) s d, with z the feature's activation, d its decoder row and s the dictionary's scale.

    What the dictionary does not explain about the row stays as it is.
    """

    dictionary: Dictionary
    feature: int
    coefficient: Coefficient
    """c, in the units of codes"""

    def __post_init__(self) -> None:
        """Refuse a feature that the dictionary does not have."""
        _require_feature(self.dictionary, self.feature)


@dataclass(frozen=True)
class AddFeature:
    """x ← x + c s d, with d the feature's decoder row and s the dictionary's scale."""

    dictionary: Dictionary
    feature: int
    coefficient: Coefficient
    """c, in the units of codes"""

    def __post_init__(self) -> None:
        """Refuse a feature that the dictionary does not have."""
        _require_feature(self.dictionary, self.feature)


@dataclass(frozen=True)
class AblateFeature:
    """x ← x − z s d: `SetFeature` to 0."""

    dictionary: Dictionary
    feature: int

    def __post_init__(self) -> None:
        """Refuse a feature that the dictionary does not have."""
        _require_feature(self.dictionary, self.feature)


Edit: TypeAlias = (
    SetDirection | AddDirection | AblateDirection | PlaceboDirection | SetFeature | AddFeature | AblateFeature
)


def apply_edit(edit: Edit, rows: Float32[Tensor, "batch d_model"]) -> Float32[Tensor, "batch d_model"]:
    """Return the rows with the edit made in each. Raises `UserError` where lengths or counts do not fit the edit's."""
    _require_count(rows, edit)
    match edit:
        case SetDirection(direction, coefficient):
            return _moved(rows, direction, coefficient - _component(rows, direction))
        case AddDirection(direction, coefficient):
            return _moved(rows, direction, coefficient)
        case AblateDirection(direction):
            return _moved(rows, direction, 0 - _component(rows, direction))
        case PlaceboDirection(direction, placebo, coefficient):
            return _moved(rows, placebo, coefficient - _component(rows, direction))
        case SetFeature(dictionary, feature, coefficient):
            return _moved(rows, _decoded(dictionary, feature), coefficient - _activation(dictionary, feature, rows))
        case AddFeature(dictionary, feature, coefficient):
            return _moved(rows, _decoded(dictionary, feature), coefficient)
        case AblateFeature(dictionary, feature):
            return _moved(rows, _decoded(dictionary, feature), 0 - _activation(dictionary, feature, rows))
        case _:
            assert_never(edit)


def edit_of(edit: Edit, rows: Int64[Tensor, " chosen"]) -> Edit:
    """Return the edit of the chosen rows alone: their coefficients, where each has its own."""
    coefficient = coefficient_of(edit)
    return replace(edit, coefficient=coefficient[rows]) if isinstance(coefficient, Tensor) else edit


def coefficient_of(edit: Edit) -> Coefficient:
    """Return what the edit is made with; an ablation has no coefficient but sets to 0."""
    return 0.0 if isinstance(edit, AblateDirection | AblateFeature) else edit.coefficient


def _moved(
    rows: Float32[Tensor, "batch d_model"], along: Float32[Tensor, " direction"], amount: Coefficient
) -> Float32[Tensor, "batch d_model"]:
    _require_length(rows, along)
    return rows + (amount[:, None] if isinstance(amount, Tensor) else amount) * along  # batch d_model


def _component(
    rows: Float32[Tensor, "batch d_model"], direction: Float32[Tensor, " direction"]
) -> Float32[Tensor, " batch"]:
    _require_length(rows, direction)
    return rows @ direction


def _decoded(dictionary: Dictionary, feature: int) -> Float32[Tensor, " d_model"]:
    """Return what one unit of the feature's code adds to a row."""
    return dictionary.scale * dictionary.W_dec[feature]


def _activation(
    dictionary: Dictionary, feature: int, rows: Float32[Tensor, "batch d_model"]
) -> Float32[Tensor, " batch"]:
    return encode_dense(dictionary, rows)[:, feature]


def _require_length(rows: Float32[Tensor, "batch d_model"], direction: Float32[Tensor, " direction"]) -> None:
    if rows.shape[1] != len(direction):
        raise UserError(
            f"the direction has length {len(direction)}, the rows at this site have {rows.shape[1]}: "
            "use a direction or dictionary of the same model."
        )


def _require_count(rows: Float32[Tensor, "batch d_model"], edit: Edit) -> None:
    coefficient = coefficient_of(edit)
    if isinstance(coefficient, Tensor) and len(coefficient) != len(rows):
        raise UserError(
            f"there are {len(coefficient)} coefficients for {len(rows)} windows: give one number, or one each."
        )


def _require_unit(direction: Float32[Tensor, " d_model"]) -> None:
    length = float(direction.norm())
    if not abs(length - 1) <= TOLERANCE:
        raise UserError(f"the direction has length {length:.6g}, expected 1: divide it by its norm.")


def _require_feature(dictionary: Dictionary, feature: int) -> None:
    if not 0 <= feature < dictionary.width:
        raise UserError(
            f"the feature is {feature}, expected 0 to {dictionary.width - 1}: {dictionary.name!r} has no more."
        )
