"""Independent components: FastICA on the leading principal components."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32
from sklearn.decomposition import FastICA
from torch import Tensor

from dtinterp.dictionary.kinds.computed import Numbered, linear, seed_of
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch

N_ROWS = 20_000
"""Rows drawn for FastICA, which knows no weights."""
N_STEPS = 2000


@dataclass(frozen=True)
class Ica(Numbered):
    """Linear components that are as independent as can be: FastICA on the leading principal components.

    Codes are `(x - mean) W_enc`, with a sign, all active (Hyvärinen & Oja 2000, Neural Networks 13:411).
    """

    short: ClassVar[str] = "ica"
    spoken: ClassVar[str] = "An ICA"

    n_components: int = 16
    """how many components are kept, 1 to d_model"""

    def most(self, rows: Float32[Tensor, "row d_model"]) -> int:
        """Return the smaller side of the table."""
        return min(rows.shape)

    def compute(self, batch: Batch, *, width: int, generator: torch.Generator) -> Weights:
        """Return unmixing as encoder and unit mixing directions as decoder."""
        del width
        rows = batch.rows
        if not torch.equal(batch.weight, batch.weight[:1].expand_as(batch.weight)):
            drawn = torch.multinomial(batch.weight.cpu(), N_ROWS, replacement=True, generator=generator)
            rows = rows[drawn.to(rows.device)]
        seed = seed_of(generator)
        ica = FastICA(self.n_components, whiten="unit-variance", max_iter=N_STEPS, tol=1e-3, random_state=seed)
        ica.fit(rows.double().cpu().numpy())
        mixing = torch.from_numpy(ica.mixing_).float().to(rows.device)  # d_model component
        unmixing = torch.from_numpy(ica.components_).float().to(rows.device)  # component d_model
        length = mixing.norm(dim=0)
        return linear(unmixing.T * length, (mixing / length).T, batch)
