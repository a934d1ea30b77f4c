"""Weighted rows become the dictionaries that an autoencoder has to beat; no gradient is descended."""

from typing import TypeAlias, assert_never

import numpy as np
import torch
from jaxtyping import Float32, Float64
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.decomposition import PCA, FastICA
from torch import Tensor

from dtinterp.dictionary.kinds import Baseline, Ica, Identity, Items, KMeans, Pca, Random, SemiNmf
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.foundation.errors import UserError

Weights: TypeAlias = dict[str, Tensor]
"""W_enc, b_enc, W_dec and b_dec of one dictionary."""

ICA_ROWS = 20_000
"""Rows drawn for FastICA, which knows no weights."""
ICA_STEPS = 2000
SEMI_NMF_STEPS = 300


def baseline(batch: Batch, kind: Baseline, *, width: int, generator: torch.Generator) -> Weights:
    """Return the weights of a baseline; `width` is that of random directions. Raises `UserError` for `Items`."""
    match kind:
        case Pca(n_components=n_components):
            components = principal_components(batch, n_components)  # component d_model
            return _linear(components.T, components, batch)
        case Ica(n_components=n_components):
            return _independent(batch, n_components, generator)
        case SemiNmf(n_components=n_components):
            return directed(batch, _seminegative(batch, n_components, generator))
        case KMeans(n_clusters=n_clusters):
            return _clustered(batch, n_clusters, generator)
        case Random():
            return directed(batch, torch.randn(width, batch.rows.shape[1], generator=generator).to(batch.rows.device))
        case Identity():
            eye = torch.eye(batch.rows.shape[1], device=batch.rows.device)
            return _linear(eye, eye, batch)
        case Items():
            raise UserError("Items has no directions of its own: give them to `of_directions`.")
        case _:
            assert_never(kind)


def directed(batch: Batch, directions: Float32[Tensor, "feature d_model"]) -> Weights:
    """Return the weights of given directions, brought to norm one; the encoder is what they correlate with."""
    unit = torch.nn.functional.normalize(directions, dim=1)
    return _linear(unit.T, unit, batch)


def principal_components(batch: Batch, n_components: int) -> Float32[Tensor, "component d_model"]:
    """Return the orthonormal directions of largest weighted variance, largest first.

    scikit-learn's PCA knows no weights and always subtracts the plain mean, so it is given the centred rows times the
    root of their weight, and their mirror images: the mean of those is zero and their covariance the weighted one.
    """
    centred = batch.rows - batch.weight @ batch.rows
    half = (centred * batch.weight.sqrt()[:, None]).double().cpu().numpy()  # row d_model
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(np.concatenate([half, -half]))
    return torch.from_numpy(pca.components_).float().to(batch.rows.device)


def _linear(
    W_enc: Float32[Tensor, "d_model feature"], W_dec: Float32[Tensor, "feature d_model"], batch: Batch
) -> Weights:
    b_enc, b_dec = W_dec.new_zeros(len(W_dec)), batch.weight @ batch.rows
    return {"W_enc": W_enc.contiguous(), "b_enc": b_enc, "W_dec": W_dec.contiguous(), "b_dec": b_dec}


def _independent(batch: Batch, n_components: int, generator: torch.Generator) -> Weights:
    rows = batch.rows
    if not torch.equal(batch.weight, batch.weight[:1].expand_as(batch.weight)):
        rows = rows[
            torch.multinomial(batch.weight.cpu(), ICA_ROWS, replacement=True, generator=generator).to(rows.device)
        ]
    ica = FastICA(n_components, whiten="unit-variance", max_iter=ICA_STEPS, tol=1e-3, random_state=_seed(generator))
    ica.fit(rows.double().cpu().numpy())
    mixing = torch.from_numpy(ica.mixing_).float().to(rows.device)  # d_model component
    unmixing = torch.from_numpy(ica.components_).float().to(rows.device)  # component d_model
    length = mixing.norm(dim=0)
    return _linear(unmixing.T * length, (mixing / length).T, batch)


def _clustered(batch: Batch, n_clusters: int, generator: torch.Generator) -> Weights:
    b_dec = batch.weight @ batch.rows
    centred = (batch.rows - b_dec).cpu().numpy()
    means = ScikitKMeans(n_clusters, n_init="auto", random_state=_seed(generator))
    means.fit(centred, sample_weight=batch.weight.cpu().numpy() * len(centred))
    centre = torch.from_numpy(means.cluster_centers_).float().to(b_dec.device)  # feature d_model
    nearness = -centre.square().sum(dim=1) / 2
    return {"W_enc": centre.T.contiguous(), "b_enc": nearness, "W_dec": centre, "b_dec": b_dec}


def _seminegative(batch: Batch, n_components: int, generator: torch.Generator) -> Float32[Tensor, "component d_model"]:
    """Return the directions after alternating updates from clusters (Ding, Li & Jordan 2010, §3.1-3.3)."""
    x = (batch.rows - batch.weight @ batch.rows).double()  # row d_model
    weight = batch.weight.double()
    means = ScikitKMeans(n_components, n_init="auto", random_state=_seed(generator))
    label = torch.from_numpy(means.fit_predict(x.cpu().numpy(), sample_weight=weight.cpu().numpy() * len(x)))
    z = torch.nn.functional.one_hot(label.long(), n_components).double().to(x.device) + 0.2  # row component
    directions = _least_squares(x, z, weight)
    for _ in range(SEMI_NMF_STEPS):
        reach, gram = x @ directions.T, directions @ directions.T
        push = reach.relu() + z @ (-gram).relu()
        pull = (-reach).relu() + z @ gram.relu()
        z = z * (push / pull.clamp_min(1e-12)).sqrt()
        directions = _least_squares(x, z, weight)
    return directions.float()


def _least_squares(
    x: Float64[Tensor, "row d_model"], z: Float64[Tensor, "row component"], weight: Float64[Tensor, " row"]
) -> Float64[Tensor, "component d_model"]:
    root = weight.sqrt()[:, None]
    return torch.linalg.pinv(root * z) @ (root * x)


def _seed(generator: torch.Generator) -> int:
    """Return a seed for a library that draws by itself."""
    return int(torch.randint(2**31, (), generator=generator))
