"""Batches of normalised rows become the weights of many autoencoders by gradient descent, as one computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds import L1, UNIT_DECODER, Autoencoder, Gated, JumpReLU, TopK
from dtinterp.dictionary.schedule import set_learning_rate
from dtinterp.dictionary.training.dead_features import is_renewal, renew
from dtinterp.dictionary.training.initialization import Batch, Parameters, initialise
from dtinterp.dictionary.training.losses import Loss, loss_of
from dtinterp.foundation import seeding

THRESHOLD_RATE = 0.02
"""How far a batch's threshold draws the running one towards it."""


@dataclass(frozen=True)
class Descent:
    """Autoencoders of one type and one width, with what changes them, one step at a time."""

    parameters: Parameters
    optimiser: torch.optim.Optimizer
    configs: tuple[FitConfig, ...]
    silence: Int64[Tensor, "member feature"]
    """steps gone by since each feature fired"""
    threshold: Float32[Tensor, " member"]
    """running mean of the batches' thresholds; NaN where there was none yet"""
    seeds: tuple[int, ...]
    """what each member draws from once it has its first weights"""

    @classmethod
    def begin(
        cls,
        b_dec: Float32[Tensor, "member d_model"],
        configs: Sequence[FitConfig],
        generators: Sequence[torch.Generator],
    ) -> "Descent":
        """Start at `b_dec` with random directions; decoder rows have norm 0.1 for L1, 1 for all others."""
        config = configs[0]
        decoder_norm = 0.1 if isinstance(config.kind, L1) else 1.0
        parameters = initialise(b_dec, config.width, decoder_norm=decoder_norm, generators=generators)
        parameters = _with_gates(parameters, [each.kind for each in configs])
        for tensor in parameters.tensors:
            tensor.requires_grad_()
        return cls(
            parameters,
            torch.optim.Adam(parameters.tensors, fused=True),
            tuple(configs),
            silence=torch.zeros_like(parameters.b_enc, dtype=torch.int64),
            threshold=torch.full_like(parameters.b_enc[:, 0], torch.nan),
            seeds=tuple(int(torch.randint(2**62, (), generator=each)) for each in generators),
        )

    @property
    def kinds(self) -> list[Autoencoder]:
        """What each member is."""
        return [config.kind for config in self.configs if isinstance(config.kind, Autoencoder)]

    @property
    def learnt(self) -> Mapping[str, Tensor]:
        """What its optimiser changes, by name."""
        return self.parameters.named

    @property
    def remembered(self) -> Mapping[str, Tensor]:
        """What else the next step depends on, by name."""
        return {"silence": self.silence, "threshold": self.threshold}

    def step(self, batch: Batch, step: int) -> Loss:
        """Take step number `step`, from 1; decoder rows move along the unit sphere, but for L1."""
        config = self.configs[0]
        set_learning_rate(self.optimiser, config, step)
        rise = min(1.0, step / max(1.0, config.warmup * config.n_steps))
        is_silent = self.silence >= config.silent_steps
        loss = loss_of(self.kinds, self.parameters, batch, is_silent=is_silent, rise=rise)
        self.optimiser.zero_grad()
        loss.total.sum().backward()
        is_unit = isinstance(config.kind, UNIT_DECODER)
        if is_unit:
            _keep_tangent(self.parameters.W_dec)
        self.optimiser.step()
        if is_unit:
            _keep_unit(self.parameters.W_dec)
        self._remember(loss)
        if isinstance(config.kind, L1) and is_renewal(step, config.n_steps):
            self._renew(batch, step)
        return loss

    def _renew(self, batch: Batch, step: int) -> None:
        is_silent = self.silence >= self.configs[0].silent_steps
        generators = [seeding.generator(seed, f"renewal/{step}") for seed in self.seeds]
        renew(self.parameters, self.optimiser, batch, is_silent=is_silent, generators=generators)
        self.silence.masked_fill_(is_silent, 0)

    @torch.no_grad()
    def _remember(self, loss: Loss) -> None:
        self.silence.add_(1).masked_fill_(loss.is_fired, 0)
        if loss.threshold is not None:
            is_first = self.threshold.isnan()
            drawn = self.threshold.lerp(loss.threshold, THRESHOLD_RATE)
            self.threshold.copy_(torch.where(is_first, loss.threshold, drawn))

    @torch.no_grad()
    def weights(self) -> list[dict[str, Tensor]]:
        """Return each member's weights as a dictionary names them."""
        parameters, threshold = self._read_off()
        stacked = {name: getattr(parameters, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
        stacked |= {} if threshold is None else {"threshold": threshold}
        return [
            {name: tensor[member].detach().contiguous().clone() for name, tensor in stacked.items()}
            for member in range(len(self.configs))
        ]

    def _read_off(self) -> tuple[Parameters, Float32[Tensor, "member feature"] | None]:
        """Return the weights with which rows are read once training is over, and the thresholds where there are any."""
        match self.parameters:
            case Parameters(log_threshold=Tensor() as log_threshold):
                return self.parameters, log_threshold.exp()
            case Parameters(b_gate=Tensor() as b_gate, r_mag=Tensor() as r_mag) as gated:
                gain = r_mag.exp()  # member feature
                threshold = (gated.b_enc - gain * b_gate).clamp_min(0)
                return replace(gated, W_enc=gated.W_enc * gain[:, None]), threshold
            case parameters if isinstance(self.configs[0].kind, L1 | TopK):
                return parameters.with_unit_decoder(), None
            case parameters:
                return parameters, self.threshold[:, None].expand_as(parameters.b_enc)


def _with_gates(parameters: Parameters, kinds: Sequence[object]) -> Parameters:
    match kinds[0]:
        case JumpReLU():
            start = [log(kind.bandwidth) for kind in kinds if isinstance(kind, JumpReLU)]
            columns = torch.tensor(start, device=parameters.b_enc.device)[:, None]
            return replace(parameters, log_threshold=columns.expand_as(parameters.b_enc).clone())
        case Gated():
            return replace(
                parameters, b_gate=torch.zeros_like(parameters.b_enc), r_mag=torch.zeros_like(parameters.b_enc)
            )
        case _:
            return parameters


def _keep_tangent(W_dec: Tensor) -> None:
    """Take away the part of each row's gradient that would only lengthen the row (Bricken et al. 2023)."""
    if W_dec.grad is not None:
        along = (W_dec.grad * W_dec.detach()).sum(dim=2, keepdim=True)
        W_dec.grad.sub_(along * W_dec.detach())


def _keep_unit(W_dec: Tensor) -> None:
    with torch.no_grad():
        W_dec.div_(W_dec.norm(dim=2, keepdim=True).clamp_min(1e-12))
