"""Matryoshka autoencoders: nested dictionaries, the first features of which must do alone."""

from dataclasses import dataclass

from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchSelected
from dtinterp.dictionary.kinds.kind import require_count
from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Matryoshka(BatchSelected):
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
        super().__post_init__()
        require_count(self, "n_levels")

    @property
    def together(self) -> tuple[int, ...]:
        """The levels."""
        return (self.n_levels,)

    def prefixes(self, width: int) -> tuple[int, ...]:
        """Return how many features each nested dictionary has, smallest first."""
        return tuple(width >> level for level in reversed(range(self.n_levels)))

    def check_width(self, width: int) -> None:
        """Refuse a width that cannot be halved so often."""
        super().check_width(width)
        if width >> (self.n_levels - 1) < 1:
            raise UserError(f"Matryoshka halves the width {width} {self.n_levels - 1} times: give fewer levels.")

    def title(self, width: int) -> str:
        """Name width, k and levels."""
        return f"matryoshka-{width}-k{self.k}-n{self.n_levels}"
