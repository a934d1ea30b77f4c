"""Rows become a dictionary."""

from collections.abc import Callable
from math import sqrt
from typing import assert_never

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.autoencoder import Batch, Parameters
from dtinterp.dictionary.config import FitConfig, FitProgress
from dtinterp.dictionary.descent import descend
from dtinterp.dictionary.dictionary import Dictionary, check_rows
from dtinterp.dictionary.kinds import L1, Kind, Pca, TopK
from dtinterp.dictionary.principal import principal_components
from dtinterp.foundation.errors import UserError


def fit(
    rows: Float32[Tensor, "row d_model"],
    config: FitConfig,
    *,
    generator: torch.Generator,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
    on_progress: Callable[[FitProgress], None] | None = None,
) -> Dictionary:
    """Return the dictionary that `config` asks for, fitted to `rows`; `generator` lives on the CPU.

    `weights` (>= 0, any sum) says how often each row counts: distinct rows with their counts give the same expected
    gradient as the repeated rows. Raises `UserError` on rows with NaN, rows that are all alike, or more components
    than rows or d_model.
    """
    rows = rows.detach()
    weight = _weight(rows, weights)
    _check_variety(rows[weight > 0], config.kind)
    scale = (weight @ rows.norm(dim=1)) / sqrt(rows.shape[1])
    batch = Batch(rows / scale, weight)
    match config.kind:
        case Pca(n_components=n_components):
            parameters = _principal(batch, n_components)
        case TopK() | L1():
            parameters = descend(batch, config, generator=generator, on_progress=on_progress)
        case _:
            assert_never(config.kind)
    return Dictionary(**vars(parameters), kind=config.kind, scale=scale, site=site, name=config.title)


def _weight(rows: Float32[Tensor, "row d_model"], weights: Tensor | None) -> Float32[Tensor, " row"]:
    check_rows(rows, rows.shape[1])
    if weights is None:
        return rows.new_full((len(rows),), 1 / len(rows))
    if len(weights) != len(rows) or not (weights.isfinite() & (weights >= 0)).all() or weights.sum() <= 0:
        raise UserError(
            f"There are {len(weights)} weights with sum {float(weights.sum()):g} for {len(rows)} rows, expected one "
            "finite weight from 0 for each row and a positive sum: give the count of each row."
        )
    return (weights.double() / weights.double().sum()).float().to(rows.device)


def _check_variety(rows: Float32[Tensor, "row d_model"], kind: Kind) -> None:
    if (rows == rows[0]).all():
        raise UserError(
            f"All {len(rows)} rows are the same vector, expected at least 2 distinct ones: harvest more varied windows."
        )
    match kind:
        case Pca(n_components=n_components) if n_components > min(rows.shape):
            raise UserError(
                f"Pca has n_components={n_components}, expected at most {min(rows.shape)} for {len(rows)} rows of "
                f"length {rows.shape[1]}: give fewer components or more rows."
            )
        case TopK() | L1() | Pca():
            return
        case _:
            assert_never(kind)


def _principal(batch: Batch, n_components: int) -> Parameters:
    components = principal_components(batch, n_components)  # component d_model
    return Parameters(
        W_enc=components.T.contiguous(),
        b_enc=components.new_zeros(n_components),
        W_dec=components,
        b_dec=batch.weight @ batch.rows,
    )
