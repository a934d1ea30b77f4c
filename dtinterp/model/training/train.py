"""Training of a decision transformer on windows; an interrupted training goes on where it stopped."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import JSON
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.interruption import TrainingRecord, noted_interruption
from dtinterp.foundation.jobs.resume import Training
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.descent import Descent, optimizer_of
from dtinterp.model.training.ranks import ALONE, Ranks
from dtinterp.model.validation import Validation, validate, validation_windows

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
class ModelRecord(TrainingRecord):
    """What is kept of the training of a model."""

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
    record: ModelRecord,
    ranks: Ranks = ALONE,
) -> DecisionTransformer:
    """Train on windows that end at steps drawn uniformly from `split.train`, on the device of `items`.

    Every batch is drawn from a generator of its own step, so that a training resumed from `record.resume_file` is the
    uninterrupted one to the bit. Ctrl-C is heard between two steps: it saves the training and raises KeyboardInterrupt,
    which says how to go on. Several `ranks` share each batch and return the same model; only rank 0's record is kept.
    Raises `UserError` where that file is damaged or of another training, another rank is gone, the model has no
    embedding for the times of the trajectories, or the loss is no longer finite.
    """
    _require_enough_windows(config, ranks)
    _require_times(config, trajectories)
    model = DecisionTransformer(config.model, generator(config.seed, "model/weights")).to(items.device)
    training = Training(model, optimizer_of(model, config), _identity(trajectories, split, config))
    descent = Descent.begin(training, items, config, ranks)
    done = _begin(training, record, ranks)
    watch = _Watch(model, validation_windows(trajectories, split, config), items, config, record)
    with (
        progress("training the transformer", config.steps, completed=done, is_shown=ranks.is_first) as bar,
        noted_interruption() as interruption,
    ):
        while done < config.steps:
            with watch.timed():
                batch = _batch(trajectories, split, config, done)
                loss = descent.step(batch, done)
            done += 1
            _require_finite(loss, done)
            bar.advance(note=f"loss {loss:.3f} · {watch.tokens_per_second:,.0f} tokens/s")
            if ranks.is_first:
                watch.look(training, done, loss)
            if ranks.agree_on_any(interruption.is_asked):
                record.stop(training, done, f"{config.steps} steps")
    return model


def checkpoint_steps(config: TrainConfig) -> tuple[int, ...]:
    """Return the numbers of steps after which models are kept: log-spaced from the first to the last, each once."""
    n_gaps = max(config.n_checkpoints - 1, 1)
    return tuple(sorted({round(config.steps ** (index / n_gaps)) for index in range(config.n_checkpoints)}))


def _batch(trajectories: Trajectories, split: Split, config: TrainConfig, step: int) -> Windows:
    rng = generator(config.seed, f"model/batch/{step}")
    chosen: Int64[Tensor, " batch"] = torch.randint(len(split.train), (config.batch_size,), generator=rng)
    return window(trajectories, split.train[chosen], config.model.n_slots)


def _begin(training: Training, record: ModelRecord, ranks: Ranks) -> int:
    """Go on from rank 0's file where there is one, and return the steps that are done, on every rank."""
    done = torch.zeros(1, device=ranks.device)
    if ranks.is_first:
        done += record.resume(training)
    ranks.take_over([done, *training.model.parameters()])
    record.logbook.rewind(int(done))
    return int(done)


class _Watch:
    """What rank 0 sees of a training and writes down."""

    def __init__(
        self,
        model: DecisionTransformer,
        held_out: Windows,
        items: Float32[Tensor, "frame item"],
        config: TrainConfig,
        record: ModelRecord,
    ) -> None:
        self._model, self._held_out, self._items = model, held_out, items
        self._config, self._record = config, record
        self._kept = checkpoint_steps(config)
        self._n_tokens, self._seconds = 0, 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time the step that the block takes."""
        began = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - began
        self._n_tokens += self._config.batch_size * self._config.model.n_ctx

    @property
    def tokens_per_second(self) -> float:
        """Tokens of whole windows, pads and repeated ones among them; what is measured beside the steps costs none."""
        return self._n_tokens / max(self._seconds, 1e-9)

    def look(self, training: Training, step: int, train_loss: float) -> None:
        """Keep, measure and save what is due after so many steps."""
        keeper, model = self._record.keeper, self._model
        if keeper and step in self._kept:
            keeper.keep_step(model, step)
        if step % self._config.validate_every and step != self._config.steps:
            return
        measured = validate(model, self._held_out, self._items)
        _require_finite(measured.loss, step)
        row = {"train_loss": train_loss, "loss": measured.loss, "accuracy": measured.accuracy}
        row |= self._record.probe(model) if self._record.probe else {}
        self._record.logbook.write(step=step, **row, tokens_per_second=round(self.tokens_per_second, 1))
        if keeper:
            keeper.keep_best(model, step, measured)
        self._record.save(training, step)


def _require_enough_windows(config: TrainConfig, ranks: Ranks) -> None:
    n_parts = ranks.count * config.n_micro_batches
    if config.batch_size < n_parts:
        raise UserError(
            f"batch_size is {config.batch_size}, expected a window for each of {ranks.count} processes times "
            f"{config.n_micro_batches} micro batches: change one of them."
        )


def _require_times(config: TrainConfig, trajectories: Trajectories) -> None:
    limit = trajectories.max_steps
    if config.model.time_embedding and limit - 1 > config.model.max_time:
        raise UserError(
            f"episodes of these demonstrations may last {limit} steps, max_time is {config.model.max_time}: give "
            f"--max-time {limit}."
        )


def _require_finite(loss: float, done: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"the loss is {loss} after {done} steps, so the training has diverged: give a smaller --learning-rate."
        )


def _identity(trajectories: Trajectories, split: Split, config: TrainConfig) -> dict[str, JSON]:
    """Return what a resumed training must share with the one it goes on from: every setting, and the data."""
    settings = asdict(config)
    shape = settings.pop("model")
    data = sha256()
    columns = ("frames", "frame_id", "action", "reward", "length")
    for column in [*(getattr(trajectories, name) for name in columns), split.train]:
        data.update(column.numpy().tobytes())
    return {**settings, **shape, "demonstrations": data.hexdigest()[:12]}
