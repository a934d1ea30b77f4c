"""Principal components: the linear baseline."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from sklearn.decomposition import PCA
from torch import Tensor

from dtinterp.dictionary.kinds.computed import Numbered, linear
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch


@dataclass(frozen=True)
class Pca(Numbered):
    """The linear baseline: every row uses every component, with a sign.

    Codes are `(x - mean) W_enc` with orthonormal components in order of variance (Pearson 1901, Phil. Mag. 2:559).
    """

    short: ClassVar[str] = "pca"
    spoken: ClassVar[str] = "A PCA"

    n_components: int = 16
    """how many components are kept, 1 to d_model"""

    def most(self, rows: Float32[Tensor, "row d_model"]) -> int:
        """Return the smaller side of the table."""
        return min(rows.shape)

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return `principal_components`."""
        del width, generator
        components = principal_components(batch, self.n_components)  # component d_model
        return linear(components.T, components, batch)


def principal_components(batch: Batch, n_components: int) -> Float32[Tensor, "component d_model"]:
    """Return the orthonormal directions of largest weighted variance, largest first.

    scikit-learn's PCA knows no weights and always subtracts the plain mean, so it is given the centred rows times the
    root of their weight, and their mirror images: the mean of those is zero and their covariance the weighted one.
    """
    centred = batch.rows - batch.weight @ batch.rows
    half = (centred * batch.weight.sqrt()[:, None]).double().cpu().numpy()  # row d_model
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(np.concatenate([half, -half]))
    return torch.from_numpy(pca.components_).float().to(batch.rows.device)
