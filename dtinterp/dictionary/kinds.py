"""What a dictionary may be becomes a sum type, matched exhaustively wherever kinds differ."""

from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class TopK:
    """An autoencoder that keeps the k largest pre-activations of each row.

    Codes are `relu(topk((x - b_dec) W_enc + b_enc))`, decoder rows have unit norm, and features that went silent are
    taught to explain the error (AuxK). Gao et al. 2024, arXiv:2406.04093, §2.3 and appendix A.2.
    """

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        if self.k < 1:
            raise UserError(f"TopK has k={self.k}, expected at least 1: give a larger k.")


@dataclass(frozen=True)
class L1:
    """A ReLU autoencoder whose activations cost their weight in the reconstruction.

    Loss: `|x - x'|^2 + coefficient * sum_f z_f |W_dec[f]|`, mean over rows whose mean norm is sqrt(d_model). Bricken
    et al. 2023, "Towards Monosemanticity", transformer-circuits.pub/2023/monosemantic-features; the penalty weighted
    by decoder norms is from Templeton et al. 2024, "Scaling Monosemanticity", transformer-circuits.pub/2024/
    scaling-monosemanticity.
    """

    coefficient: float = 1.0
    """price of a unit of activation; zero is a plain autoencoder"""

    def __post_init__(self) -> None:
        """Refuse a price that is negative or not finite."""
        if not (isfinite(self.coefficient) and self.coefficient >= 0):
            raise UserError(f"L1 has coefficient={self.coefficient}, expected a number from 0: give another one.")


@dataclass(frozen=True)
class Pca:
    """The linear baseline: every row uses every component, with a sign.

    Codes are `(x - mean) W_enc` with orthonormal components in order of variance (Pearson 1901, Phil. Mag. 2:559).
    """

    n_components: int = 16
    """how many components are kept, 1 to d_model"""

    def __post_init__(self) -> None:
        """Refuse fewer than one component."""
        if self.n_components < 1:
            raise UserError(f"Pca has n_components={self.n_components}, expected at least 1: give a larger number.")


Kind: TypeAlias = TopK | L1 | Pca
