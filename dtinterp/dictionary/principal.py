"""Weighted rows become their principal components."""

import numpy as np
import torch
from jaxtyping import Float32
from sklearn.decomposition import PCA
from torch import Tensor

from dtinterp.dictionary.autoencoder import Batch


def principal_components(batch: Batch, n_components: int) -> Float32[Tensor, "component d_model"]:
    """Return the orthonormal directions of largest weighted variance, largest first.

    scikit-learn's PCA knows no weights and always subtracts the plain mean, so it is given the centred rows times the
    root of their weight, and their mirror images: the mean of those is zero and their covariance the weighted one.
    """
    centred = batch.rows - batch.weight @ batch.rows
    half = (centred * batch.weight.sqrt()[:, None]).double().cpu().numpy()  # row d_model
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(np.concatenate([half, -half]))
    return torch.from_numpy(pca.components_).float().to(batch.rows.device)
