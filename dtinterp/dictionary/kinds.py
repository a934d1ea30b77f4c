"""What a dictionary may be becomes a sum type, matched exhaustively wherever kinds differ.

In all formulas x is a row in normalised units, `a = (x - b_dec) W_enc + b_enc` its pre-activations, z its code and
`x' = z W_dec + b_dec` its reconstruction; the mean norm of x is sqrt(d_model).
"""

from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible


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
        _require_count(self, "k")


@dataclass(frozen=True)
class BatchTopK:
    """An autoencoder that keeps the k largest pre-activations a row on average, so that hard rows may use more.

    In training `z = a [a > t]`, with t >= 0 the value above which the batch has k activations a row; afterwards t is
    one fixed threshold, the running mean of those of the batches. Decoder rows have unit norm; loss and revival are
    TopK's. Bussmann, Leask & Nanda 2024, arXiv:2412.06410, §3.
    """

    k: int = 8
    """how many features a row uses on average, 1 to the width"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        _require_count(self, "k")


@dataclass(frozen=True)
class Matryoshka:
    """A BatchTopK autoencoder whose first features must do alone, then with twice as many, up to the whole width.

    Loss: the mean over nested prefixes of the features of `|x - x'_m|^2 / |x - mean|^2`, with x'_m made from the first
    m features of one code and m = width / 2^(n_levels - 1), ..., width / 2, width; plus TopK's revival. Bussmann,
    Nabeshima, Karvonen & Nanda 2025, arXiv:2503.17547, §3.
    """

    k: int = 8
    """how many features a row uses on average, 1 to the width"""
    n_levels: int = 4
    """how many nested dictionaries; 1 is a BatchTopK"""

    def __post_init__(self) -> None:
        """Refuse counts below one."""
        _require_count(self, "k")
        _require_count(self, "n_levels")

    def prefixes(self, width: int) -> tuple[int, ...]:
        """Return how many features each nested dictionary has, smallest first."""
        return tuple(width >> level for level in reversed(range(self.n_levels)))


@dataclass(frozen=True)
class L1:
    """A ReLU autoencoder whose activations cost their weight in the reconstruction.

    Loss: `|x - x'|^2 + coefficient * sum_f z_f |W_dec[f]|`, mean over rows whose mean norm is sqrt(d_model). Bricken
    et al. 2023, "Towards Monosemanticity", transformer-circuits.pub/2023/monosemantic-features; the penalty weighted
    by decoder norms is from Templeton et al. 2024, "Scaling Monosemanticity", transformer-circuits.pub/2024/
    scaling-monosemanticity. Silent features are resampled as in the former (`renewal.py`).
    """

    coefficient: float = 1.0
    """price of a unit of activation; zero is a plain autoencoder"""

    def __post_init__(self) -> None:
        """Refuse a price that is negative or not finite."""
        _require_price(self, self.coefficient)


@dataclass(frozen=True)
class JumpReLU:
    """An autoencoder whose features are active above a threshold of their own, which is learnt.

    Codes are `z_f = a_f [a_f > t_f]`, decoder rows have unit norm. Loss: `|x - x'|^2 + coefficient * L0(z)`. The
    thresholds learn through the pseudo-derivatives `d[a > t]/dt = -K((a - t) / bandwidth) / bandwidth` and
    `dz/dt = -t K((a - t) / bandwidth) / bandwidth`, with K = 1 between -1/2 and 1/2. Rajamanoharan et al. 2024,
    arXiv:2407.14435, §3 and eq. 11-12. Silent features are revived as TopK's are.
    """

    coefficient: float = 1.0
    """price of an active feature"""
    bandwidth: float = 0.2
    """how near its threshold, in normalised units, an activation moves it, > 0"""

    def __post_init__(self) -> None:
        """Refuse impossible prices and bandwidths."""
        _require_price(self, self.coefficient)
        if not (isfinite(self.bandwidth) and self.bandwidth > 0):
            raise UserError(f"JumpReLU has bandwidth={self.bandwidth}, expected a number above 0: give another one.")


@dataclass(frozen=True)
class Gated:
    """An autoencoder that decides which features are active apart from how active they are.

    With `p = (x - b_dec) W_enc`, codes are `z_f = [p_f + b_gate_f > 0] relu(exp(r_f) p_f + b_mag_f)`, decoder rows have
    unit norm. Loss: `|x - x'|^2 + coefficient * sum_f relu(p_f + b_gate_f) + |x - relu(p + b_gate) W_dec - b_dec|^2`,
    where the last term leaves the decoder alone. Rajamanoharan et al. 2024, arXiv:2404.16014, §3. Once trained it is
    the JumpReLU autoencoder with `W_enc exp(r)`, `b_enc = b_mag` and `t = b_mag - exp(r) b_gate` (its appendix E).
    Silent features are revived as TopK's are, where the paper resamples them.
    """

    coefficient: float = 2.0
    """price of a unit of gate activation"""

    def __post_init__(self) -> None:
        """Refuse a price that is negative or not finite."""
        _require_price(self, self.coefficient)


@dataclass(frozen=True)
class Pca:
    """The linear baseline: every row uses every component, with a sign.

    Codes are `(x - mean) W_enc` with orthonormal components in order of variance (Pearson 1901, Phil. Mag. 2:559).
    """

    n_components: int = 16
    """how many components are kept, 1 to d_model"""

    def __post_init__(self) -> None:
        """Refuse fewer than one component."""
        _require_count(self, "n_components")


@dataclass(frozen=True)
class Ica:
    """Linear components that are as independent as can be: FastICA on the leading principal components.

    Codes are `(x - mean) W_enc`, with a sign, all active (Hyvärinen & Oja 2000, Neural Networks 13:411).
    """

    n_components: int = 16
    """how many components are kept, 1 to d_model"""

    def __post_init__(self) -> None:
        """Refuse fewer than one component."""
        _require_count(self, "n_components")


@dataclass(frozen=True)
class SemiNmf:
    """Semi-non-negative matrix factorisation: codes have no negative entry, directions may.

    Codes are the non-negative least squares solution `argmin_{z >= 0} |x - b_dec - z W_dec|^2` with b_dec the mean row
    (Ding, Li & Jordan 2010, IEEE TPAMI 32:45, §3).
    """

    n_components: int = 16
    """how many directions"""

    def __post_init__(self) -> None:
        """Refuse fewer than one component."""
        _require_count(self, "n_components")


@dataclass(frozen=True)
class KMeans:
    """Each row is the centre of its cluster: one active feature, always of value 1 (Lloyd 1982, IEEE TIT 28:129)."""

    n_clusters: int = 16
    """how many centres"""

    def __post_init__(self) -> None:
        """Refuse fewer than one centre."""
        _require_count(self, "n_clusters")


@dataclass(frozen=True)
class Items:
    """Directions given from outside, such as the columns with which a model embeds the items that it sees.

    Codes are orthogonal matching pursuit: k times, the direction that correlates most with what is left is taken up and
    all values are fitted anew by least squares; they have a sign (Pati, Rezaiifar & Krishnaprasad 1993).
    """

    k: int = 8
    """how many directions a row may use"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        _require_count(self, "k")


@dataclass(frozen=True)
class Random:
    """Random unit directions, coded as `Items` are: what a dictionary achieves that learnt nothing."""

    k: int = 8
    """how many directions a row may use, 1 to the width"""

    def __post_init__(self) -> None:
        """Refuse a k below one."""
        _require_count(self, "k")


@dataclass(frozen=True)
class Identity:
    """Each coordinate is a feature, so nothing is lost: the basis in which the network writes its numbers."""


Autoencoder: TypeAlias = TopK | BatchTopK | Matryoshka | L1 | JumpReLU | Gated
"""Kinds that are found by gradient descent."""
Baseline: TypeAlias = Pca | Ica | SemiNmf | KMeans | Items | Random | Identity
"""Kinds that an autoencoder has to beat."""
Kind: TypeAlias = Autoencoder | Baseline

UNIT_DECODER = (TopK, BatchTopK, Matryoshka, JumpReLU, Gated)
"""Kinds whose decoder rows move along the unit sphere while they learn; those of L1 are free, since it prices them."""
THRESHOLDED = (BatchTopK, Matryoshka, JumpReLU, Gated)
"""Kinds that read codes with a threshold for each feature."""


def _require_count(kind: "Kind", setting: str) -> None:
    value = getattr(kind, setting)
    if not value >= 1:
        size = "k" if setting == "k" else "number"
        raise UserError(f"{type(kind).__name__} has {setting}={value}, expected at least 1: give a larger {size}.")
    require_sensible(kind)


def _require_price(kind: "Kind", coefficient: float) -> None:
    if not (isfinite(coefficient) and coefficient >= 0):
        name = type(kind).__name__
        raise UserError(f"{name} has coefficient={coefficient}, expected a number from 0: give another one.")
    require_sensible(kind)
