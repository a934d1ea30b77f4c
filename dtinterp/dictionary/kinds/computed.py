"""What a kind that is computed, not learned, says of itself; and weights that directions make."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.codes import Codes, every, pursue
from dtinterp.dictionary.kinds.kind import DictionaryKind, Weights, activation, require_count, require_k_within
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class ComputedKind(DictionaryKind):
    """A kind that is computed from weighted rows; by default every feature is active, with a sign."""

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return all pre-activations."""
        return every(activation(centred, weights))

    @abstractmethod
    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return the weights."""


@dataclass(frozen=True)
class Numbered(ComputedKind):
    """A kind that is asked for a number of features, and then has so many."""

    setting: ClassVar[str] = "n_components"
    """how the number is called"""
    short: ClassVar[str]
    """its name in titles"""
    spoken: ClassVar[str]
    """its name in sentences, with an article"""

    def __post_init__(self) -> None:
        """Refuse fewer than one."""
        require_count(self, self.setting)

    @property
    def number(self) -> int:
        """How many features it has."""
        return getattr(self, self.setting)

    def n_features(self, width: int) -> int:
        """Return its own number."""
        del width
        return self.number

    def check_width(self, width: int) -> None:
        """Refuse any other width."""
        super().check_width(width)
        if self.number != width:
            unit = self.setting.removeprefix("n_")
            raise UserError(f"{self.spoken} of {self.number} {unit} has width {width}: fit it again.")

    def title(self, width: int) -> str:
        """Name the number."""
        del width
        return f"{self.short}-{self.number}"

    def most(self, rows: Float32[Tensor, "row d_model"]) -> int:
        """Return how many features these rows bear."""
        return len(rows)

    def check_rows(self, rows: Float32[Tensor, "row d_model"]) -> None:
        """Refuse more features than the rows bear."""
        if self.number > self.most(rows):
            raise UserError(
                f"{type(self).__name__} has {self.setting}={self.number}, expected at most {self.most(rows)} for "
                f"{len(rows)} rows of length {rows.shape[1]}: give fewer or more rows."
            )


@dataclass(frozen=True)
class Pursued(ComputedKind):
    """A kind whose codes are orthogonal matching pursuit along its directions: k of them a row."""

    k: int = 8

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        require_count(self, "k")

    def check_width(self, width: int) -> None:
        """Refuse more features a row than there are."""
        super().check_width(width)
        require_k_within(self, self.k, width)

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return the codes of `pursue`."""
        return pursue(centred, weights["W_dec"], self.k)


def directed(batch: Batch, directions: Float32[Tensor, "feature d_model"]) -> Weights:
    """Return the weights of given directions, brought to norm one; the encoder is what they correlate with."""
    unit = torch.nn.functional.normalize(directions, dim=1)
    return linear(unit.T, unit, batch)


def linear(
    W_enc: Float32[Tensor, "d_model feature"], W_dec: Float32[Tensor, "feature d_model"], batch: Batch
) -> Weights:
    """Return the weights of an encoder without bias, for rows about their mean."""
    b_enc, b_dec = W_dec.new_zeros(len(W_dec)), batch.weight @ batch.rows
    return {"W_enc": W_enc.contiguous(), "b_enc": b_enc, "W_dec": W_dec.contiguous(), "b_dec": b_dec}


def seed_of(generator: torch.Generator) -> int:
    """Return a seed for a library that draws by itself."""
    return int(torch.randint(2**31, (), generator=generator))
