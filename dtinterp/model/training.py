"""Windows become a trained decision transformer; an interrupted training goes on where it stopped."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook, progress
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.progress import load_progress, save_progress
from dtinterp.model.transformer import DecisionTransformer


@dataclass(frozen=True)
class TrainConfig:
    """How a decision transformer is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """shape of the transformer"""
    steps: int = 6000
    """optimiser steps"""
    batch_size: int = 256
    """windows per step"""
    learning_rate: float = 1e-3
    """at its peak, after the warm-up; it then falls to a tenth along a cosine"""
    warmup: int = 200
    """steps over which the learning rate rises from zero"""
    weight_decay: float = 0.1
    """of matrices inside the blocks; embeddings, biases and norms are spared (as minGPT)"""
    max_gradient: float = 1.0
    """gradient norm above which it is scaled down"""
    precision: str = "float32"
    """float32, or bfloat16 for matrix products under autocast"""
    held_out: float = 0.1
    """share of the distinct episodes kept for validation"""
    validate_every: int = 500
    """steps between two measurements on held-out windows, each written to disk with the state of training"""
    seed: int = 0
    """seed of weights, split and batches"""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.precision not in ("float32", "bfloat16"):
            raise UserError(f"precision is {self.precision!r}, expected float32 or bfloat16.")
        for name in ("steps", "batch_size", "validate_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1.")
        if self.learning_rate <= 0:
            raise UserError(f"learning_rate is {self.learning_rate}, expected a number above 0.")


@dataclass(frozen=True)
class Validation:
    """How well held-out actions are predicted."""

    loss: float
    """cross-entropy in nats per action"""
    accuracy: float
    n_actions: int


Probe = Callable[[DecisionTransformer], Mapping[str, float]]
"""Measures a model during training, for the log."""


def train_model(
    trajectories: Trajectories,
    split: Split,
    config: TrainConfig,
    *,
    items: Float32[Tensor, "frame item"],
    logbook: Logbook,
    progress_file: Path | None = None,
    probe: Probe | None = None,
) -> DecisionTransformer:
    """Train on windows that end at steps drawn uniformly from `split.train`.

    Every batch is drawn from a generator of its own step, so that a run resumed from `progress_file` is the uninterrupted one to the bit.
    """
    model = DecisionTransformer(config.model, generator(config.seed, "model/weights"))
    optimizer = _optimizer(model, config)
    done = load_progress(progress_file, model, optimizer) if progress_file else 0
    held_out = validation_windows(trajectories, split, config)
    with progress("training the transformer", config.steps, completed=done) as bar:
        for step in range(done, config.steps):
            optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = learning_rate(step, config)
            loss = _train_step(model, optimizer, _batch(trajectories, split, config, step), items, config)
            bar.advance(note=f"loss {loss:.3f}")
            if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
                measured = validate(model, held_out, items)
                probed = probe(model) if probe else {}
                logbook.write(
                    step=step + 1, train_loss=loss, loss=measured.loss, accuracy=measured.accuracy, **probed
                )
                if progress_file:
                    save_progress(progress_file, model, optimizer, step + 1)
    return model


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine down to a tenth."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    passed = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * passed)))


def action_loss(
    logits: Float[Tensor, "batch slot action"], windows: Windows
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy in nats of the actions at real slots."""
    return functional.cross_entropy(logits[windows.mask].float(), windows.action[windows.mask])


def validation_windows(trajectories: Trajectories, split: Split, config: TrainConfig) -> Windows:
    """Return up to 4,096 held-out windows, the same for every call with this config."""
    rng = generator(config.seed, "model/validation")
    chosen = split.held_out[torch.randperm(len(split.held_out), generator=rng)[:4096]]
    return window(trajectories, chosen, config.model.n_slots)


@torch.no_grad()
def validate(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> Validation:
    """Return loss and accuracy over all real slots of `windows`."""
    logits = torch.cat([model(windows[start : start + 1024], items) for start in _starts(windows)])
    hits = (logits.argmax(-1) == windows.action)[windows.mask]
    return Validation(
        loss=action_loss(logits, windows).item(), accuracy=hits.float().mean().item(), n_actions=len(hits)
    )


def _starts(windows: Windows) -> range:
    return range(0, len(windows), 1024)


def _batch(trajectories: Trajectories, split: Split, config: TrainConfig, step: int) -> Windows:
    rng = generator(config.seed, f"model/batch/{step}")
    chosen: Int64[Tensor, " batch"] = torch.randint(len(split.train), (config.batch_size,), generator=rng)
    return window(trajectories, split.train[chosen], config.model.n_slots)


def _train_step(
    model: DecisionTransformer,
    optimizer: torch.optim.Optimizer,
    batch: Windows,
    items: Float32[Tensor, "frame item"],
    config: TrainConfig,
) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
        logits = model(batch, items)
    loss = action_loss(logits, batch)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient)
    optimizer.step()
    return loss.item()


def _optimizer(model: DecisionTransformer, config: TrainConfig) -> torch.optim.AdamW:
    decayed = [p for name, p in model.named_parameters() if name.startswith("blocks") and p.dim() > 1 and "b_" not in name]
    spared = [p for p in model.parameters() if all(p is not other for other in decayed)]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))
