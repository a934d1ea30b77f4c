"""What gradient descent asks of a kind: how it starts, the loss of a batch, and how it is read once it is trained."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.codes import Codes, active
from dtinterp.dictionary.kinds.kind import DictionaryKind, Weights, activation, require_count, require_k_within

Resample: TypeAlias = Callable[..., None]
"""Gives silent features new weights: see `l1.resample`."""


@dataclass(frozen=True)
class LearnedKind(DictionaryKind):
    """A kind that gradient descent finds; members of one type are one computation, each with its own settings.

    By default codes are what exceeds the thresholds, or zero where there are none.
    """

    decoder_norm: ClassVar[float] = 1.0
    """of decoder rows at first"""
    has_unit_decoder: ClassVar[bool] = True
    """whether decoder rows move along the unit sphere while they learn"""
    frozen: ClassVar[frozenset[str]] = frozenset()
    """names of weights that stay as they were drawn"""

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return what exceeds the threshold of its feature."""
        found, threshold = activation(centred, weights), weights.get("threshold", 0.0)
        return active(found.where(found > threshold, 0.0))

    @property
    def together(self) -> tuple[int, ...]:
        """Settings in which the members of one computation agree."""
        return ()

    def start(self, parameters: Parameters, settings: Mapping[str, Sequence[float]]) -> Parameters:
        """Return the first weights of members, given random decoder rows and their transpose as encoder.

        `settings` are those of each member, by name.
        """
        del settings
        return parameters

    @abstractmethod
    def loss(self, given: LossInputs) -> Loss:
        """Return what a batch costs each member."""

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the stacked weights with which rows are read; `threshold` is the running mean of the batches'."""
        del threshold
        return parameters.weights

    def resampling(self, step: int, n_steps: int) -> Resample | None:
        """Return what gives silent features new weights after `step` of `n_steps` steps; None where nothing does."""
        del step, n_steps


@dataclass(frozen=True)
class LearnedWithK(LearnedKind):
    """A learned kind whose rows use k features, or so many on average."""

    k: int = 8

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        require_count(self, "k")

    def check_width(self, width: int) -> None:
        """Refuse more features a row than there are."""
        super().check_width(width)
        require_k_within(self, self.k, width)
