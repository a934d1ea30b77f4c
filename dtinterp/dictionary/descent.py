"""Normalised rows become autoencoder weights by gradient descent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dtinterp.dictionary.autoencoder import Batch, Loss, Parameters, initialise, l1_loss, topk_loss
from dtinterp.dictionary.config import FitConfig, FitProgress
from dtinterp.dictionary.kinds import L1, Pca, TopK

N_REPORTS = 100
"""How often a fit reports its progress."""
FALL = 0.2
"""Share of the steps over which the learning rate falls to zero (Templeton et al. 2024)."""


def descend(
    batch: Batch,
    config: FitConfig,
    *,
    generator: torch.Generator,
    on_progress: Callable[[FitProgress], None] | None,
) -> Parameters:
    """Return autoencoder weights with unit decoder rows, after `config.n_steps` steps of Adam on draws from `batch`."""
    descent = Descent.begin(batch, config, generator)
    cumulative = batch.weight.double().cumsum(0)
    variance = float(batch.mean((batch.rows - batch.weight @ batch.rows).square().sum(dim=1)))
    silence = torch.zeros(config.width, dtype=torch.int64, device=batch.rows.device)
    for step in range(1, config.n_steps + 1):
        loss = descent.step(draw(batch, cumulative, config.batch_rows, generator), step, silence)
        silence = torch.where(loss.is_fired, 0, silence + 1)
        if on_progress is not None and (step % max(1, config.n_steps // N_REPORTS) == 0 or step == config.n_steps):
            silent_share = float((silence >= config.silent_steps).float().mean())
            fvu = float(loss.error) / variance
            on_progress(FitProgress(step, config.n_steps, fvu, float(loss.n_active), silent_share))
    return descent.parameters.with_unit_decoder()


def draw(batch: Batch, cumulative: Float64[Tensor, " row"], n_rows: int, generator: torch.Generator) -> Batch:
    """Return `n_rows` rows drawn in proportion to their weight; where there are no more than that, all with weights."""
    if len(batch.rows) <= n_rows:
        return batch
    place = torch.rand(n_rows, generator=generator, dtype=torch.float64).to(cumulative.device)
    chosen = torch.searchsorted(cumulative, place * cumulative[-1], right=True).clamp_max(len(batch.rows) - 1)
    return Batch(batch.rows[chosen], batch.weight.new_full((n_rows,), 1 / n_rows))


@dataclass(frozen=True)
class Descent:
    """The weights with what changes them, one step at a time."""

    parameters: Parameters
    optimiser: torch.optim.Optimizer
    config: FitConfig

    @classmethod
    def begin(cls, batch: Batch, config: FitConfig, generator: torch.Generator) -> "Descent":
        """Start from random weights; decoder rows have norm 1 for TopK, 0.1 for L1."""
        decoder_norm = 1.0 if isinstance(config.kind, TopK) else 0.1
        parameters = initialise(batch, config.width, decoder_norm=decoder_norm, generator=generator)
        return cls(parameters, torch.optim.Adam(parameters.tensors, fused=True), config)

    def step(self, batch: Batch, step: int, silence: Int64[Tensor, " feature"]) -> Loss:
        """Take step number `step`, from 1, with `silence` steps gone by since each feature fired.

        The decoder rows of TopK move along the unit sphere.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(step)
        loss = self._loss(batch, step, silence)
        self.optimiser.zero_grad()
        loss.total.backward()
        if isinstance(self.config.kind, TopK):
            _keep_tangent(self.parameters.W_dec)
        self.optimiser.step()
        if isinstance(self.config.kind, TopK):
            _keep_unit(self.parameters.W_dec)
        return loss

    def _learning_rate(self, step: int) -> float:
        left = 1 - (step - 1) / self.config.n_steps
        return self.config.learning_rate * min(1.0, left / FALL)

    def _loss(self, batch: Batch, step: int, silence: Int64[Tensor, " feature"]) -> Loss:
        match self.config.kind:
            case TopK(k=k):
                return topk_loss(self.parameters, batch, k=k, is_silent=silence >= self.config.silent_steps)
            case L1(coefficient=coefficient):
                rise = min(1.0, step / max(1.0, self.config.warmup * self.config.n_steps))
                return l1_loss(self.parameters, batch, coefficient=rise * coefficient)
            case Pca():
                raise TypeError("a PCA is not found by descent")
            case _:
                assert_never(self.config.kind)


def _keep_tangent(W_dec: Tensor) -> None:
    """Take away the part of each row's gradient that would only lengthen the row (Bricken et al. 2023)."""
    if W_dec.grad is not None:
        along = (W_dec.grad * W_dec.detach()).sum(dim=1, keepdim=True)
        W_dec.grad.sub_(along * W_dec.detach())


def _keep_unit(W_dec: Tensor) -> None:
    with torch.no_grad():
        W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min(1e-12))
