from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.frozen_decoder import FrozenDecoder
from dtinterp.dictionary.kinds.baselines.frozen_encoder import FrozenEncoder
from dtinterp.dictionary.kinds.baselines.ica import Ica
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.kmeans import KMeans
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.kinds.baselines.random import Random
from dtinterp.dictionary.kinds.baselines.semi_nmf import SemiNmf
from dtinterp.dictionary.kinds.computed import Numbered


@dataclass(frozen=True)
class Planted:
    """Rows that are sparse sums of known directions; the same rows with each coordinate shuffled over them."""

    directions: Float32[Tensor, "feature d_model"]
    rows: Float32[Tensor, "row d_model"]
    shuffled: Float32[Tensor, "row d_model"]

    def recovery(self, dictionary: Dictionary) -> float:
        """Mean over planted directions of the largest cosine with any decoder row."""
        cosine = self.directions @ dictionary.W_dec.T / dictionary.W_dec.norm(dim=1)
        return float(cosine.max(dim=1).values.mean())


@pytest.fixture(scope="session")
def planted() -> Planted:
    generator = torch.Generator().manual_seed(0)
    n_rows, d_model, n_features, n_active = 10_000, 32, 48, 3
    directions = torch.nn.functional.normalize(torch.randn(n_features, d_model, generator=generator), dim=1)
    active = torch.rand(n_rows, n_features, generator=generator).argsort(dim=1)[:, :n_active]
    value = torch.rand(n_rows, n_active, generator=generator) + 0.5
    rows = torch.zeros(n_rows, n_features).scatter(1, active, value) @ directions
    shuffled = torch.stack([column[torch.randperm(n_rows, generator=generator)] for column in rows.T], dim=1)
    return Planted(directions, rows, shuffled)


def _random_dictionary(kind: Kind, width: int, d_model: int = 6, seed: int = 0) -> Dictionary:
    generator = torch.Generator().manual_seed(seed)
    W_dec = torch.nn.functional.normalize(torch.randn(width, d_model, generator=generator), dim=1)
    return Dictionary(
        W_enc=torch.randn(d_model, width, generator=generator),
        b_enc=torch.randn(width, generator=generator) / 5,
        W_dec=W_dec,
        b_dec=torch.randn(d_model, generator=generator),
        kind=kind,
        scale=torch.tensor(1.7),
        site="hook_obs_embed",
        name="random",
        threshold=torch.rand(width, generator=generator) if kind.has_threshold else None,
    )


KINDS: tuple[Kind, ...] = (
    TopK(3),
    BatchTopK(3),
    Matryoshka(3, 2),
    L1(0.5),
    JumpReLU(0.5),
    Gated(0.5),
    FrozenDecoder(3),
    FrozenEncoder(3),
    Pca(5),
    Ica(5),
    SemiNmf(5),
    KMeans(5),
    Items(2),
    Random(2),
    Identity(),
)


@pytest.fixture(params=KINDS, ids=[type(kind).__name__ for kind in KINDS])
def dictionary(request: pytest.FixtureRequest) -> Dictionary:
    """A dictionary of each kind with random weights, 6 long."""
    narrow = isinstance(request.param, Numbered)
    return _random_dictionary(request.param, 5 if narrow else 11)


@pytest.fixture(scope="session")
def random_dictionary() -> Callable[..., Dictionary]:
    """What makes a dictionary with random weights of a kind and a width."""
    return _random_dictionary


@pytest.fixture
def rows() -> Float32[Tensor, "row d_model"]:
    return torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
