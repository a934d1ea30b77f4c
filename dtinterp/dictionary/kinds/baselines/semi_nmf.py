"""Semi-non-negative matrix factorisation: codes have no negative entry, directions may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32, Float64
from sklearn.cluster import KMeans as ScikitKMeans
from torch import Tensor

from dtinterp.dictionary.codes import Codes, active, nonnegative
from dtinterp.dictionary.kinds.computed import Numbered, directed, seed_of
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch

N_STEPS = 300


@dataclass(frozen=True)
class SemiNmf(Numbered):
    """Semi-non-negative matrix factorisation: codes have no negative entry, directions may.

    Codes are the non-negative least squares solution `argmin_{z >= 0} |x - b_dec - z W_dec|^2` with b_dec the mean row
    (Ding, Li & Jordan 2010, IEEE TPAMI 32:45, §3).
    """

    short: ClassVar[str] = "seminmf"
    spoken: ClassVar[str] = "A semi-NMF"

    n_components: int = 16
    """how many directions"""

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return the non-negative least squares solution."""
        return active(nonnegative(centred, weights["W_dec"]))

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return the directions after alternating updates from clusters (Ding, Li & Jordan 2010, §3.1-3.3)."""
        del width
        x = (batch.rows - batch.weight @ batch.rows).double()  # row d_model
        weight = batch.weight.double()
        means = ScikitKMeans(self.n_components, n_init="auto", random_state=seed_of(generator))
        label = torch.from_numpy(means.fit_predict(x.cpu().numpy(), sample_weight=weight.cpu().numpy() * len(x)))
        one_hot = torch.nn.functional.one_hot(label.long(), self.n_components)
        z = one_hot.double().to(x.device) + 0.2  # row component
        directions = _least_squares(x, z, weight)
        for _ in range(N_STEPS):
            reach, gram = x @ directions.T, directions @ directions.T
            push = reach.relu() + z @ (-gram).relu()
            pull = (-reach).relu() + z @ gram.relu()
            z = z * (push / pull.clamp_min(1e-12)).sqrt()
            directions = _least_squares(x, z, weight)
        return directed(batch, directions.float())


def _least_squares(
    x: Float64[Tensor, "row d_model"], z: Float64[Tensor, "row component"], weight: Float64[Tensor, " row"]
) -> Float64[Tensor, "component d_model"]:
    root = weight.sqrt()[:, None]
    return torch.linalg.pinv(root * z) @ (root * x)
