"""TopK whose directions stay as they were drawn: what an encoder alone achieves on random directions."""

from dataclasses import dataclass
from typing import ClassVar

from dtinterp.dictionary.kinds.autoencoders.topk import TopK


@dataclass(frozen=True)
class FrozenDecoder(TopK):
    """TopK whose decoder stays at its random start, so that no direction is learnt: only when features fire is.

    What it shares with a trained autoencoder is no evidence that directions mean anything (Korznikov et al. 2026,
    arXiv:2602.14111).
    """

    frozen: ClassVar[frozenset[str]] = frozenset({"W_dec"})

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"frozen-decoder-{width}-k{self.k}"
