"""TopK whose activations are those of a random encoder: what learnt directions achieve on random activity."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.kind import Weights


@dataclass(frozen=True)
class FrozenEncoder(TopK):
    """TopK whose encoder stays at its random start, so that when features fire is not learnt: only what they write is.

    Decoder rows have any length, since no activation follows them. What it shares with a trained autoencoder is no
    evidence that activity means anything (Korznikov et al. 2026, arXiv:2602.14111).
    """

    has_unit_decoder: ClassVar[bool] = False
    frozen: ClassVar[frozenset[str]] = frozenset({"W_enc", "b_enc"})

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"frozen-encoder-{width}-k{self.k}"

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights as they are: decoder rows of norm one would ask for other activations."""
        del threshold
        return parameters.weights
