"""What a user wants of a fit becomes a checked configuration."""

from dataclasses import dataclass, field
from typing import assert_never

from dtinterp.dictionary.dictionary import check_width
from dtinterp.dictionary.kinds import L1, Kind, Pca, TopK
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class FitConfig:
    """How a dictionary is fitted."""

    kind: Kind = field(default_factory=TopK)
    """TopK or L1 autoencoder, or PCA"""
    width: int = 512
    """features of an autoencoder; a PCA has as many as components"""
    n_steps: int = 1000
    """steps of Adam (PCA needs none)"""
    batch_rows: int = 1024
    """rows a step; where there are no more rows than this, every step sees them all"""
    learning_rate: float = 3e-3
    """of Adam; falls linearly to zero over the last fifth of the steps"""
    warmup: float = 0.05
    """share of the steps over which the L1 price rises from zero"""
    silent_steps: int = 50
    """steps without firing after which a TopK feature takes part in the auxiliary loss"""
    name: str = ""
    """what the dictionary is called; empty: kind, width and sparsity"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for setting in ("n_steps", "batch_rows", "silent_steps"):
            if getattr(self, setting) < 1:
                raise UserError(f"{setting} is {getattr(self, setting)}, expected at least 1: give a larger number.")
        if not 0 < self.learning_rate < 1:
            raise UserError(f"learning_rate is {self.learning_rate}, expected between 0 and 1: give another one.")
        if not 0 <= self.warmup <= 1:
            raise UserError(f"warmup is {self.warmup}, expected a share from 0 to 1: give another one.")
        check_width(self.kind, self.n_features)

    @property
    def n_features(self) -> int:
        """The width of the dictionary that will be made."""
        return self.kind.n_components if isinstance(self.kind, Pca) else self.width

    @property
    def title(self) -> str:
        """The dictionary's name."""
        match self.kind:
            case _ if self.name:
                return self.name
            case TopK(k=k):
                return f"topk-{self.width}-k{k}"
            case L1(coefficient=coefficient):
                return f"l1-{self.width}-c{coefficient:g}"
            case Pca(n_components=n_components):
                return f"pca-{n_components}"
            case _:
                assert_never(self.kind)


@dataclass(frozen=True)
class FitProgress:
    """How far a fit has come, measured on the step's batch."""

    step: int
    """steps done"""
    n_steps: int
    fvu: float
    """share of the variance that the reconstruction misses"""
    l0: float
    """mean number of active features"""
    silent_share: float
    """share of features that have not fired for `silent_steps` steps"""
