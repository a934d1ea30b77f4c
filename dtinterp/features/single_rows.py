"""What one dictionary makes of single rows: its error on each, and the features that it sees in one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode
from dtinterp.dictionary.evaluation.reconstruction import Reconstruction
from dtinterp.foundation.errors import UserError

OUTLYING = 1.5
"""Interquartile ranges above the upper quartile from which a row counts as an outlier (Tukey 1977, "outside"), of the
error's logarithm, since errors differ by orders of magnitude."""
SMALLEST = 1e-12
"""Errors below are rounding."""


@dataclass(frozen=True)
class TokenErrors:
    """What one dictionary makes of each row."""

    error: Float32[Tensor, " row"]
    """`|x - x'|^2 / mean_r |x_r - m|^2`, with x' the reconstruction and m the mean row. Its mean over rows is the
    fraction of variance unexplained"""
    l0: Int64[Tensor, " row"]
    """active features"""

    @property
    def fvu(self) -> float:
        """The fraction of variance unexplained."""
        return float(self.error.double().mean())

    @property
    def limit(self) -> float:
        """The error above which a row is an outlier: see `OUTLYING`."""
        quarters = torch.tensor([0.25, 0.75], dtype=torch.float64)
        low, high = torch.quantile(self.error.double().clamp_min(SMALLEST).log10(), quarters).tolist()
        return 10 ** (high + OUTLYING * (high - low))

    @property
    def n_outliers(self) -> int:
        """Rows above the limit."""
        return int((self.error > self.limit).sum())

    def thinned(self, n: int) -> Int64[Tensor, " shown"]:
        """Return rows that are no outliers, at even ranks of their error, `n` at most."""
        order = self.error.argsort(stable=True)
        order = order[self.error[order] <= self.limit]
        return order if len(order) <= n else order[torch.linspace(0, len(order) - 1, n).round().long()]

    def worst(self, frame_id: Int64[Tensor, " row"], n: int) -> Int64[Tensor, " found"]:
        """Return the worst row of each of the `n` worst frames, worst first, be they outliers or not."""
        found: dict[int, int] = {}
        for row in self.error.argsort(descending=True, stable=True).tolist():
            found.setdefault(int(frame_id[row]), row)
        return torch.tensor(list(found.values())[:n], dtype=torch.int64)


def token_errors(dictionary: Dictionary, rows: Float32[Tensor, "row d_model"]) -> TokenErrors:
    """Return the error of each row and how many features it uses. Raises `UserError` where all rows are the same."""
    found = Reconstruction.by(dictionary, rows, rows).errors
    spread = found["spread"].mean()
    if spread <= 0:
        raise UserError(f"all {len(rows)} rows are the same, so there is no variance to explain: harvest more windows.")
    return TokenErrors((found["error"] / spread).float(), found["active"])


@dataclass(frozen=True)
class ActiveFeature:
    """One feature of a row."""

    feature: int
    value: float
    """its activation, in the units of codes"""
    length: float
    """how far it moves the reconstruction, `scale |z| |d|`, in the row's own units: by this features are ordered"""


@dataclass(frozen=True)
class Seen:
    """What one dictionary sees in one row."""

    name: str
    site: str
    l0: int
    """active features, listed or not"""
    error: float
    """`|x - x'| / |x|`: how much of the row's length is missed"""
    features: tuple[ActiveFeature, ...]
    """those that move the reconstruction most, strongest first"""


def seen_in(dictionary: Dictionary, row: Float32[Tensor, " d_model"], *, n_most: int) -> Seen:
    """Return the features that `dictionary` sees in a row of its site, `n_most` at most."""
    codes = encode(dictionary, row[None])
    index, value = codes.index[0], codes.value[0]
    direction = dictionary.scale * dictionary.W_dec[index]  # k d_model
    made = value @ direction + dictionary.scale * dictionary.b_dec
    length = value.abs() * direction.norm(dim=1)
    order = length.argsort(descending=True, stable=True)
    order = order[value[order] != 0]
    return Seen(
        name=dictionary.name,
        site=dictionary.site,
        l0=int(codes.n_active[0]),
        error=float((row - made).norm() / row.norm().clamp_min(1e-12)),
        features=tuple(
            ActiveFeature(int(index[place]), float(value[place]), float(length[place]))
            for place in order[:n_most].tolist()
        ),
    )
