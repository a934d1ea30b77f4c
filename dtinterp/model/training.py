"""Windows become a trained decision transformer; an interrupted training goes on where it stopped."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from dtinterp.foundation.interruption import noted_interruption
from dtinterp.foundation.logbook import Logbook, progress
from dtinterp.foundation.resume import Training, resume, suspend
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig
from dtinterp.model.ranks import ALONE, Ranks
from dtinterp.model.transformer import DecisionTransformer

DECAYED = {"W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out"}
"""Weights that decay, by kind: the matrices inside the blocks. Embeddings, biases and norms are spared (as minGPT)."""
VALIDATION_WINDOWS = 4096
VALIDATION_BATCH = 1024


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
    """written at each measurement and at Ctrl-C; a training that finds its own file here goes on from it"""
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
    ranks: Ranks = ALONE,
) -> DecisionTransformer:
    """Train on windows that end at steps drawn uniformly from `split.train`, on the device of `items`.

    Every batch is drawn from a generator of its own step, so that a training resumed from `record.resume_file` is the
    uninterrupted one to the bit. Ctrl-C is heard between two steps: it saves the training and raises KeyboardInterrupt,
    which says how to go on. Several `ranks` share each batch and return the same model; only rank 0's record is kept.
    Raises `UserError` where that file is damaged or of another training, or another rank is gone.
    """
    _require_enough_windows(config, ranks)
    model = DecisionTransformer(config.model, generator(config.seed, "model/weights")).to(items.device)
    training = Training(model, _optimizer(model, config), _identity(trajectories, split, config))
    done = _begin(training, record, ranks)
    watch = _Watch(model, validation_windows(trajectories, split, config), items, config, record)
    with (
        progress("training the transformer", config.steps, completed=done, is_shown=ranks.is_first) as bar,
        noted_interruption() as interruption,
    ):
        while done < config.steps:
            with watch.timed():
                batch = _batch(trajectories, split, config, done)
                loss = _train_step(training, batch, items, config, step=done, ranks=ranks)
            done += 1
            bar.advance(note=f"loss {loss:.3f} · {watch.tokens_per_second:,.0f} tokens/s")
            if ranks.is_first:
                watch.look(training, done, loss)
            if ranks.agree_on_any(interruption.is_asked):
                raise KeyboardInterrupt(_stopped(training, done, config, record))
    return model


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then the peak, or half a cosine from there to a tenth."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    if config.learning_rate_schedule == "constant":
        return config.learning_rate
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


def _begin(training: Training, record: Record, ranks: Ranks) -> int:
    """Go on from rank 0's file where there is one, and return the steps that are done, on every rank."""
    done = torch.zeros(1, device=ranks.device)
    if ranks.is_first and record.resume_file:
        done += resume(record.resume_file, training)
    ranks.take_over([done, *training.model.parameters()])
    record.logbook.rewind(int(done))
    return int(done)


def _train_step(
    training: Training,
    batch: Windows,
    items: Float32[Tensor, "frame item"],
    config: TrainConfig,
    *,
    step: int,
    ranks: Ranks = ALONE,
) -> float:
    """Take one step of gradient descent and return the loss before it; beyond rank 0, of this rank's windows.

    Parts of the batch give gradients one after another, and ranks at the same time. Each part's loss is divided by the
    actions of the whole batch, so that the sum of the gradients is that of the batch.
    """
    model, optimizer = training.model, training.optimizer
    n_parts = ranks.count * config.n_micro_batches
    n_actions = int(batch.mask.sum())
    loss = torch.zeros(1, device=items.device)
    optimizer.zero_grad()
    for start in range(ranks.rank, n_parts, ranks.count):
        packs = pack(batch[start::n_parts], cut=not config.model.attend_to_padding)
        share = _summed_loss(model, packs, items, config.precision) / n_actions
        share.backward()
        loss += share.detach()
    ranks.add_up([loss, *(weight.grad for weight in model.parameters() if weight.grad is not None)])
    if ranks.is_first:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient)
        optimizer.step()
    ranks.take_over(list(model.parameters()))
    return loss.item()


def _summed_loss(
    model: nn.Module, packs: Sequence[Pack], items: Float32[Tensor, "frame item"], precision: str
) -> Float[Tensor, ""]:
    """Return the cross-entropy in nats of the windows that were packed, summed over their actions."""
    losses, weights = [], []
    for part in packs:
        windows = part.windows.to(items.device)
        with torch.autocast(items.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(windows, items)
        said, meant = logits[windows.mask].float(), windows.action[windows.mask]
        losses.append(functional.cross_entropy(said, meant, reduction="none"))
        weights.append(part.count.to(items.device)[:, None].expand_as(windows.mask)[windows.mask])
    return (torch.cat(losses) * torch.cat(weights)).sum()


class _Watch:
    """What rank 0 sees of a training and writes down."""

    def __init__(
        self,
        model: DecisionTransformer,
        held_out: Windows,
        items: Float32[Tensor, "frame item"],
        config: TrainConfig,
        record: Record,
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
        row = {"train_loss": train_loss, "loss": measured.loss, "accuracy": measured.accuracy}
        row |= self._record.probe(model) if self._record.probe else {}
        self._record.logbook.write(step=step, **row, tokens_per_second=round(self.tokens_per_second, 1))
        if keeper:
            keeper.keep_best(model, step, measured)
        if self._record.resume_file:
            suspend(self._record.resume_file, training, step)


def _stopped(training: Training, done: int, config: TrainConfig, record: Record) -> str:
    """Save an interrupted training if it has a file, and return how to go on."""
    how_far = f"interrupted after {done} of {config.steps} steps"
    if record.resume_file is None:
        return f"{how_far}."
    suspend(record.resume_file, training, done)
    return f"{how_far}, which {record.resume_file} keeps: give the same command again to go on."


def _require_enough_windows(config: TrainConfig, ranks: Ranks) -> None:
    n_parts = ranks.count * config.n_micro_batches
    if config.batch_size < n_parts:
        raise UserError(
            f"batch_size is {config.batch_size}, expected a window for each of {ranks.count} processes times "
            f"{config.n_micro_batches} micro batches: change one of them."
        )


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
