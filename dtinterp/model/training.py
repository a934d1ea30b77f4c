"""Windows become a trained decision transformer; an interrupted training goes on where it stopped."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.dataset.packing import Pack, pack
from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefact import JSON
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook, progress
from dtinterp.foundation.ranges import require_above, require_at_least
from dtinterp.foundation.resume import Training, resume, suspend
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.transformer import DecisionTransformer

DECAYED = {"W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out"}
"""Weights that decay, by kind: the matrices inside the blocks. Embeddings, biases and norms are spared (as minGPT)."""
VALIDATION_WINDOWS = 4096
VALIDATION_BATCH = 1024


@dataclass(frozen=True)
class TrainConfig:
    """How a decision transformer is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """shape of the transformer"""
    steps: int = 8000
    """optimiser steps"""
    batch_size: int = 256
    """windows per step"""
    learning_rate: float = 2e-3
    """at its peak, after the warm-up; it then falls to a tenth along a cosine"""
    warmup: int = 200
    """steps over which the learning rate rises from zero"""
    weight_decay: float = 0.3
    """of the matrices inside the blocks"""
    max_gradient: float = 1.0
    """gradient norm above which it is scaled down"""
    precision: str = "float32"
    """float32, or bfloat16 for matrix products under autocast"""
    held_out: float = 0.1
    """share of the distinct episodes kept for validation"""
    validate_every: int = 500
    """steps between two measurements on held-out windows, each written to disk with the state of training"""
    n_checkpoints: int = 0
    """models kept on the way, after log-spaced numbers of steps, with the best on held-out windows; 0 keeps neither"""
    seed: int = 0
    """seed of weights, split and batches"""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require_at_least(self, 1, "steps", "batch_size", "validate_every")
        require_at_least(self, 0, "warmup", "weight_decay", "n_checkpoints")
        require_above(self, 0, "learning_rate", "max_gradient")
        if self.precision not in ("float32", "bfloat16"):
            raise UserError(f"precision is {self.precision!r}, expected float32 or bfloat16: give one of these.")
        if not 0 < self.held_out < 1:
            raise UserError(f"held_out is {self.held_out}, expected a share between 0 and 1: give another value.")


@dataclass(frozen=True)
class Validation:
    """How well held-out actions are predicted."""

    loss: float
    """cross-entropy in nats per action"""
    accuracy: float
    n_actions: int


Probe = Callable[[DecisionTransformer], Mapping[str, float]]
"""Measures a model during training, for the log."""


@runtime_checkable
class Keeper(Protocol):
    """Keeps models that a training passes through. A training that is resumed may bring the same one again."""

    def keep_step(self, model: DecisionTransformer, step: int) -> None:
        """Keep the model after so many steps."""

    def keep_best(self, model: DecisionTransformer, step: int, measured: Validation) -> None:
        """Keep the model if none before predicted held-out actions better."""


@dataclass(frozen=True)
class Record:
    """What is kept of a training under way."""

    logbook: Logbook = field(default_factory=Logbook)
    """a row per measurement"""
    resume_file: Path | None = None
    """written at each measurement; a training that finds its own file here goes on from it"""
    probe: Probe | None = None
    """measured beside the validation"""
    keeper: Keeper | None = None
    """keeps the checkpoints that the config asks for"""


def train_model(
    trajectories: Trajectories,
    split: Split,
    config: TrainConfig,
    *,
    items: Float32[Tensor, "frame item"],
    record: Record,
) -> DecisionTransformer:
    """Train on windows that end at steps drawn uniformly from `split.train`, on the device of `items`.

    Every batch is drawn from a generator of its own step, so that a training resumed from `record.resume_file` is the
    uninterrupted one to the bit. Raises `UserError` where that file is damaged or of another training.
    """
    model = DecisionTransformer(config.model, generator(config.seed, "model/weights")).to(items.device)
    training = Training(model, _optimizer(model, config), _identity(trajectories, split, config))
    done = resume(record.resume_file, training) if record.resume_file else 0
    record.logbook.rewind(done)
    held_out = validation_windows(trajectories, split, config)
    kept = checkpoint_steps(config)
    with progress("training the transformer", config.steps, completed=done) as bar:
        for step in range(done, config.steps):
            loss = _train_step(training, _batch(trajectories, split, config, step), items, config, step=step)
            bar.advance(note=f"loss {loss:.3f}")
            if record.keeper and step + 1 in kept:
                record.keeper.keep_step(model, step + 1)
            if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
                _measure(model, validate(model, held_out, items), record, step=step + 1, train_loss=loss)
                if record.resume_file:
                    suspend(record.resume_file, training, step + 1)
    return model


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine down to a tenth."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    passed = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * passed)))


def checkpoint_steps(config: TrainConfig) -> tuple[int, ...]:
    """Return the numbers of steps after which models are kept: log-spaced from the first to the last, each once."""
    n_gaps = max(config.n_checkpoints - 1, 1)
    return tuple(sorted({round(config.steps ** (index / n_gaps)) for index in range(config.n_checkpoints)}))


def action_loss(logits: Float[Tensor, "batch slot action"], windows: Windows) -> Float[Tensor, ""]:
    """Return the mean cross-entropy in nats of the actions at real slots."""
    return functional.cross_entropy(logits[windows.mask].float(), windows.action[windows.mask])


def validation_windows(trajectories: Trajectories, split: Split, config: TrainConfig) -> Windows:
    """Return up to `VALIDATION_WINDOWS` held-out windows, the same for every call with this config."""
    rng = generator(config.seed, "model/validation")
    chosen = split.held_out[torch.randperm(len(split.held_out), generator=rng)[:VALIDATION_WINDOWS]]
    return window(trajectories, chosen, config.model.n_slots)


@torch.no_grad()
def validate(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> Validation:
    """Return loss and accuracy over all real slots of `windows`."""
    parts = [windows[start : start + VALIDATION_BATCH] for start in range(0, len(windows), VALIDATION_BATCH)]
    logits = torch.cat([model(part.to(items.device), items).cpu() for part in parts])
    hits = (logits.argmax(-1) == windows.action)[windows.mask]
    return Validation(
        loss=action_loss(logits, windows).item(), accuracy=hits.float().mean().item(), n_actions=len(hits)
    )


def _batch(trajectories: Trajectories, split: Split, config: TrainConfig, step: int) -> Windows:
    rng = generator(config.seed, f"model/batch/{step}")
    chosen: Int64[Tensor, " batch"] = torch.randint(len(split.train), (config.batch_size,), generator=rng)
    return window(trajectories, split.train[chosen], config.model.n_slots)


def _train_step(
    training: Training,
    batch: Windows,
    items: Float32[Tensor, "frame item"],
    config: TrainConfig,
    *,
    step: int,
) -> float:
    """Take one step of gradient descent and return the loss before it."""
    model, optimizer = training.model, training.optimizer
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, config)
    packs = pack(batch, cut=not config.model.attend_to_padding)
    loss = _packed_loss(model, packs, items, config.precision)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient)
    optimizer.step()
    return loss.item()


def _packed_loss(
    model: nn.Module, packs: Sequence[Pack], items: Float32[Tensor, "frame item"], precision: str
) -> Float[Tensor, ""]:
    """Return the `action_loss` of the windows that were packed."""
    losses, weights = [], []
    for part in packs:
        windows = part.windows.to(items.device)
        with torch.autocast(items.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(windows, items)
        said, meant = logits[windows.mask].float(), windows.action[windows.mask]
        losses.append(functional.cross_entropy(said, meant, reduction="none"))
        weights.append(part.count.to(items.device)[:, None].expand_as(windows.mask)[windows.mask])
    loss, weight = torch.cat(losses), torch.cat(weights)
    return (loss * weight).sum() / weight.sum()


def _measure(model: DecisionTransformer, measured: Validation, record: Record, *, step: int, train_loss: float) -> None:
    probed = record.probe(model) if record.probe else {}
    record.logbook.write(step=step, train_loss=train_loss, loss=measured.loss, accuracy=measured.accuracy, **probed)
    if record.keeper:
        record.keeper.keep_best(model, step, measured)


def _optimizer(model: DecisionTransformer, config: TrainConfig) -> torch.optim.AdamW:
    parameters = dict(model.named_parameters())
    is_decayed = {name: name.rpartition(".")[2] in DECAYED for name in parameters}
    groups = [
        {"params": [parameters[name] for name in parameters if is_decayed[name]], "weight_decay": config.weight_decay},
        {"params": [parameters[name] for name in parameters if not is_decayed[name]], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def _identity(trajectories: Trajectories, split: Split, config: TrainConfig) -> dict[str, JSON]:
    """Return what a resumed training must share with the one it goes on from: every setting, and the data."""
    settings = asdict(config)
    shape = settings.pop("model")
    data = sha256()
    columns = ("frames", "frame_id", "action", "reward", "length")
    for column in [*(getattr(trajectories, name) for name in columns), split.train]:
        data.update(column.numpy().tobytes())
    return {**settings, **shape, "demonstrations": data.hexdigest()[:12]}
