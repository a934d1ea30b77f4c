"""A row of a site becomes the features that a dictionary sees in it, to stand beside those of others."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary, encode


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
