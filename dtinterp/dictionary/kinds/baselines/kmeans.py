"""k-means: each row is the centre of its cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32
from sklearn.cluster import KMeans as ScikitKMeans
from torch import Tensor

from dtinterp.dictionary.codes import Codes, largest
from dtinterp.dictionary.kinds.computed import Numbered, seed_of
from dtinterp.dictionary.kinds.kind import Weights, activation
from dtinterp.dictionary.rows.batches import Batch


@dataclass(frozen=True)
class KMeans(Numbered):
    """Each row is the centre of its cluster: one active feature, always of value 1 (Lloyd 1982, IEEE TIT 28:129)."""

    setting: ClassVar[str] = "n_clusters"
    short: ClassVar[str] = "kmeans"
    spoken: ClassVar[str] = "A k-means"

    n_clusters: int = 16
    """how many centres"""

    def encode(self, centred: Float32[Tensor, "row d_in"], weights: Mapping[str, Tensor]) -> Codes:
        """Return 1 for the largest pre-activation, which is that of the nearest centre."""
        nearest = largest(activation(centred, weights), 1)
        return Codes(nearest.index, torch.ones_like(nearest.value))

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return the centres, and a bias with which the largest pre-activation is that of the nearest."""
        del width
        b_dec = batch.weight @ batch.rows
        centred = (batch.rows - b_dec).cpu().numpy()
        means = ScikitKMeans(self.n_clusters, n_init="auto", random_state=seed_of(generator))
        means.fit(centred, sample_weight=batch.weight.cpu().numpy() * len(centred))
        centre = torch.from_numpy(means.cluster_centers_).float().to(b_dec.device)  # feature d_model
        nearness = -centre.square().sum(dim=1) / 2
        return {"W_enc": centre.T.contiguous(), "b_enc": nearness, "W_dec": centre, "b_dec": b_dec}
