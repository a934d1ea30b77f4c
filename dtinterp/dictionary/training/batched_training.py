"""Streams of batches become the weights of who learns from them, in one loop of steps, alike ones as one computation.

Members share no weights, and those of one stream see the same batches, so each is what it would be alone. On one thread
of the processors that were tried its bits are the same too; a library is free to add up a product of more matrices in
another order, so what is promised is equality to rounding.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.config import FitProgress, Watch
from dtinterp.dictionary.kinds import Matryoshka
from dtinterp.dictionary.schedule import Schedule
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.dictionary.training.losses import Loss
from dtinterp.dictionary.training.resume import Resumable, Run, resume, suspend
from dtinterp.dictionary.training.streams import Stream, beside

N_REPORTS = 100
"""How often a fit reports its progress."""
TOGETHER = {"cpu": 2**22, "cuda": 2**28}
"""Pre-activations of a batch that go into one computation: small members gain from company, but beyond what a cache
holds, or a device fills, they would only get in each other's way."""

ConfigT = TypeVar("ConfigT", bound=Schedule)


@runtime_checkable
class Descending(Resumable, Protocol):
    """Members that are changed as one computation, one step at a time."""

    @property
    def silence(self) -> Int64[Tensor, "member feature"]:
        """Steps gone by since each feature fired."""
        ...

    def step(self, batch: Batch, step: int) -> Loss:
        """Take step number `step`, from 1."""
        ...

    def weights(self) -> list[dict[str, Tensor]]:
        """Return each member's weights, by name."""
        ...


@dataclass(frozen=True)
class Source(Generic[ConfigT]):
    """A stream of batches, and who learns from it."""

    stream: Stream
    configs: Sequence[ConfigT]
    base: int
    """of the first weights"""
    variance: Float[Tensor, ""]
    """mean squared distance from their mean of what is to be made: an error is given as a share of it"""


@dataclass(frozen=True)
class Member(Generic[ConfigT]):
    """What is to be fitted, and the batches that it will see."""

    config: ConfigT
    source: int
    """place of the source that they are drawn from"""
    n_rows: int
    d_row: int


Begin: TypeAlias = Callable[[Sequence[Member[ConfigT]]], Descending]


def descend(sources: Sequence[Source[ConfigT]], begin: Begin[ConfigT], watch: Watch) -> list[list[dict[str, Tensor]]]:
    """Return the weights of each source's members after as many steps of Adam as the configs say, which agree on that.

    `begin` makes the first weights of members that are one computation. Raises `UserError` where what `watch` has
    unfinished is damaged, or something else under way.
    """
    members = [_member(source, place, config) for place, source in enumerate(sources) for config in source.configs]
    if not members:
        return [[] for _ in sources]
    groups = list(bundles(members, sources[0].stream.table.rows.device.type))
    bundled = [_bundle([members[place] for place in group], sources, begin) for group in groups]
    run = Run([each.descent for each in bundled], [source.stream.generator for source in sources], _identity(sources))
    done = 0 if watch.unfinished is None else resume(watch.unfinished, run)
    _take_steps(bundled, sources, run, done=done, watch=watch)
    made = [weights for each in bundled for weights in each.descent.weights()]
    places = [place for group in groups for place in group]
    in_order = iter([weights for _, weights in sorted(zip(places, made, strict=True), key=lambda pair: pair[0])])
    return [[next(in_order) for _ in source.configs] for source in sources]


def bundles(members: Sequence[Member[ConfigT]], device: str) -> Iterator[list[int]]:
    """Yield the places of members that are one computation: of one type, one width and one shape of batches.

    They may be of different sources; there are no more than a processor's cache or a device holds.
    """

    def shape(place: int) -> tuple[str, int, int, int, int]:
        member = members[place]
        kind = member.config.kind
        n_levels = kind.n_levels if isinstance(kind, Matryoshka) else 0
        return type(kind).__name__, member.config.width, n_levels, member.n_rows, member.d_row

    for _, group in groupby(sorted(range(len(members)), key=shape), key=shape):
        places = list(group)
        first = members[places[0]]
        most = max(1, TOGETHER.get(device, TOGETHER["cpu"]) // (first.n_rows * first.config.width))
        yield from (places[start : start + most] for start in range(0, len(places), most))


def _member(source: Source[ConfigT], place: int, config: ConfigT) -> Member[ConfigT]:
    rows = source.stream.table.rows
    return Member(config, place, min(len(rows), config.batch_rows), rows.shape[1])


@dataclass(frozen=True)
class _Bundle:
    """Members that are one computation, with the source of each."""

    descent: Descending
    config: Schedule
    sources: list[int]
    variance: Float32[Tensor, " member"]


def _bundle(members: Sequence[Member[ConfigT]], sources: Sequence[Source[ConfigT]], begin: Begin[ConfigT]) -> _Bundle:
    own = [member.source for member in members]
    return _Bundle(begin(members), members[0].config, own, torch.stack([sources[place].variance for place in own]))


def _take_steps(
    bundled: Sequence[_Bundle], sources: Sequence[Source[ConfigT]], run: Run, *, done: int, watch: Watch
) -> None:
    config = bundled[0].config
    every = max(1, config.n_steps // N_REPORTS)
    began, since = time.perf_counter(), done
    for step in range(done + 1, config.n_steps + 1):
        drawn = [source.stream.draw(config.batch_rows) for source in sources]
        batches = [beside([drawn[place] for place in each.sources]) for each in bundled]
        losses = [each.descent.step(batch, step) for each, batch in zip(bundled, batches, strict=True)]
        if step % every and step != config.n_steps:
            continue
        if watch.on_progress is not None:
            n_rows = (step - since) * sum(len(drawn[place].rows) for each in bundled for place in each.sources)
            rate = n_rows / max(1e-9, time.perf_counter() - began)
            watch.on_progress(_progress(bundled, losses, step, rate=rate))
        if watch.unfinished is not None:
            suspend(watch.unfinished, run, step)
        began, since = time.perf_counter(), step


def _progress(bundled: Sequence[_Bundle], losses: Sequence[Loss], step: int, *, rate: float) -> FitProgress:
    config = bundled[0].config
    silence = [each.descent.silence >= config.silent_steps for each in bundled]
    missed = [loss.error / each.variance for each, loss in zip(bundled, losses, strict=True)]
    return FitProgress(
        step=step,
        n_steps=config.n_steps,
        fvu=float(torch.cat(missed).mean()),
        l0=float(torch.cat([loss.n_active for loss in losses]).mean()),
        silent_share=float(torch.cat([each.float().mean(dim=1) for each in silence]).mean()),
        loss=float(torch.cat([loss.total.detach() for loss in losses]).mean()),
        rows_per_second=rate,
    )


def _identity(sources: Sequence[Source[ConfigT]]) -> dict[str, str]:
    digest = hashlib.sha256()
    for source in sources:
        for tensor in (source.stream.table.rows, source.stream.table.weight):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    settings = [[repr(config) for config in source.configs] for source in sources]
    seeds = [source.base for source in sources]
    return {"configuration": json.dumps(settings), "rows": digest.hexdigest(), "seed": json.dumps(seeds)}
