"""TopK autoencoders: each row keeps its k largest pre-activations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs, revival, strongest_loss
from dtinterp.dictionary.batched.parameters import Parameters
from dtinterp.dictionary.batched.sparse import strongest
from dtinterp.dictionary.codes import Codes, largest
from dtinterp.dictionary.kinds.kind import Weights, activation
from dtinterp.dictionary.kinds.learned import LearnedWithK


@dataclass(frozen=True)
class TopK(LearnedWithK):
    """An autoencoder that keeps the k largest pre-activations of each row.

    Codes are `relu(topk((x - b_dec) W_enc + b_enc))`, decoder rows have unit norm, and features that went silent are
    taught to explain the error (AuxK). Gao et al. 2024, arXiv:2406.04093, §2.3 and appendix A.2.
    """

    saelens: ClassVar[str | None] = "topk"

    k: int = 8
    """how many features a row may use, 1 to the width"""

    def title(self, width: int) -> str:
        """Name width and k."""
        return f"topk-{width}-k{self.k}"

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return the k largest, where they are positive."""
        return largest(activation(centred, weights).relu(), self.k)

    def loss(self, given: LossInputs) -> Loss:
        """Return the error as a share of the variance, plus the auxiliary loss of the silent features.

        `|x - x'|^2 / |x - m|^2 + |e - e'|^2 / (32 |e|^2)`, where m is the batch's mean, e the error and e' what the
        d_model / 2 most active silent features make of it (Gao et al. 2024, §2.1 and appendix A.2).
        """
        parameters, batch, k = given.parameters, given.batch, given.column("k").long()
        kept = strongest(batch.rows, parameters.W_enc, parameters.bias, parameters.W_dec, k)
        remainder = (batch.rows - parameters.b_dec[:, None]) - kept.made  # member row d_model
        error = batch.mean(remainder.square().sum(dim=2))
        return strongest_loss(error / batch.spread + revival(given, remainder.detach()), error, kept, given)

    def finish(self, parameters: Parameters, threshold: Float32[Tensor, " member"]) -> Weights:
        """Return the weights with decoder rows of norm one."""
        del threshold
        return parameters.with_unit_decoder().weights
