"""Gradient descent of many autoencoders or transcoders of one kind, as one computation, one step at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss, LossInputs
from dtinterp.dictionary.batched.parameters import Parameters, initialise
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.dictionary.rows.batches import Batch
from dtinterp.foundation import seeding
from dtinterp.foundation.jobs.resume import Moments, prefixed, under

THRESHOLD_RATE = 0.02
"""How far a batch's threshold draws the running one towards it."""
FALL = 0.2
"""Share of the steps over which the learning rate falls to zero (Templeton et al. 2024)."""


@dataclass(frozen=True)
class StackDescent:
    """Members of one kind and one width, with what changes them, one step at a time."""

    parameters: Parameters
    optimiser: torch.optim.Optimizer
    kind: LearnedKind
    """of the first, which speaks for all"""
    settings: Mapping[str, Sequence[float]]
    """of the kind, by name: one of each member"""
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
        origin: Mapping[str, Tensor],
        configs: Sequence[FitConfig],
        generators: Sequence[torch.Generator],
        *,
        d_in: int | None = None,
    ) -> "StackDescent":
        """Start with random directions at `origin`, the members' b_dec, with W_skip where their kind has one.

        `d_in` is how long the rows are that are read, where others are written.
        """
        kinds = [config.kind for config in configs if isinstance(config.kind, LearnedKind)]
        kind = kinds[0]
        settings = {each.name: [float(getattr(own, each.name)) for own in kinds] for each in fields(kind)}
        norm = kind.decoder_norm
        drawn = initialise(origin["b_dec"], configs[0].width, d_in=d_in, decoder_norm=norm, generators=generators)
        skip = {"W_skip": origin["W_skip"].clone()} if "W_skip" in origin else {}
        parameters = kind.start(replace(drawn, **skip), settings)
        learned = [tensor for name, tensor in parameters.named.items() if name not in kind.frozen]
        for tensor in learned:
            tensor.requires_grad_()
        return cls(
            parameters,
            torch.optim.Adam(learned, fused=True),
            kind,
            settings,
            tuple(configs),
            silence=torch.zeros_like(parameters.b_enc, dtype=torch.int64),
            threshold=torch.full_like(parameters.b_enc[:, 0], torch.nan),
            seeds=tuple(int(torch.randint(2**62, (), generator=each)) for each in generators),
        )

    def step(self, batch: Batch, step: int) -> Loss:
        """Take step number `step`, from 1."""
        config = self.configs[0]
        set_learning_rate(self.optimiser, config, step)
        rise = min(1.0, step / max(1.0, config.warmup * config.n_steps))
        is_silent = self.silence >= config.silent_steps
        loss = self.kind.loss(LossInputs(self.parameters, batch, is_silent, rise, self.settings))
        self.optimiser.zero_grad()
        loss.total.sum().backward()
        is_on_sphere = self.kind.has_unit_decoder and "W_dec" not in self.kind.frozen
        if is_on_sphere:
            _keep_tangent(self.parameters.W_dec)
        self.optimiser.step()
        if is_on_sphere:
            _keep_unit(self.parameters.W_dec)
        self._remember(loss)
        self._resample(batch, step)
        return loss

    def _resample(self, batch: Batch, step: int) -> None:
        resample = self.kind.resampling(step, self.configs[0].n_steps)
        if resample is not None:
            is_silent = self.silence >= self.configs[0].silent_steps
            generators = [seeding.generator(seed, f"renewal/{step}") for seed in self.seeds]
            resample(self.parameters, self.optimiser, batch, is_silent=is_silent, generators=generators)
            self.silence.masked_fill_(is_silent, 0)

    @torch.no_grad()
    def _remember(self, loss: Loss) -> None:
        self.silence.add_(1).masked_fill_(loss.is_fired, 0)
        if loss.threshold is not None:
            is_first = self.threshold.isnan()
            drawn = self.threshold.lerp(loss.threshold, THRESHOLD_RATE)
            self.threshold.copy_(torch.where(is_first, loss.threshold, drawn))

    @torch.no_grad()
    def weights(self) -> list[Weights]:
        """Return each member's weights as a dictionary or map names them."""
        stacked = self.kind.finish(self.parameters, self.threshold)
        return [
            {name: tensor[member].detach().contiguous().clone() for name, tensor in stacked.items()}
            for member in range(len(self.configs))
        ]

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return all that changes from step to step."""
        return self._changing | prefixed("moments", Moments(self.optimiser).state_dict())

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put it back in place. Raises ValueError where it is of other shapes."""
        for name, tensor in self._changing.items():
            if tensor.shape != state[name].shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
        Moments(self.optimiser).load_state_dict(under("moments", state))
        for name, tensor in self._changing.items():
            tensor.copy_(state[name])

    @property
    def _changing(self) -> dict[str, Tensor]:
        return {"silence": self.silence, "threshold": self.threshold, **self.parameters.named}


def set_learning_rate(optimiser: torch.optim.Optimizer, config: FitConfig, step: int) -> None:
    """Give the optimiser its rate for step number `step`, from 1: it falls linearly to zero over the last steps."""
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * min(1.0, (1 - (step - 1) / config.n_steps) / FALL)


def _keep_tangent(W_dec: Tensor) -> None:
    """Take away the part of each row's gradient that would only lengthen the row (Bricken et al. 2023)."""
    if W_dec.grad is not None:
        along = (W_dec.grad * W_dec.detach()).sum(dim=2, keepdim=True)
        W_dec.grad.sub_(along * W_dec.detach())


def _keep_unit(W_dec: Tensor) -> None:
    with torch.no_grad():
        W_dec.div_(W_dec.norm(dim=2, keepdim=True).clamp_min(1e-12))
