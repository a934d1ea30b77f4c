"""Many members learned in one loop of steps, alike ones as one computation.

Members share no weights, and those of one stream see the same batches, so each is what it would be alone. On one thread
of the processors that were tried its bits are the same too; a library is free to add up a product of more matrices in
another order, so what is promised is equality to rounding.
"""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.batched.losses import Loss
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.kinds.kind import DictionaryKind, Weights
from dtinterp.dictionary.kinds.learned import LearnedKind
from dtinterp.dictionary.kinds.maps.linear import least_squares
from dtinterp.dictionary.rows.batches import Stream, geometric_median, stacked
from dtinterp.dictionary.training.descent import StackDescent
from dtinterp.foundation.jobs.resume import Carried, resume, suspend

N_REPORTS = 100
"""How often a fit reports its progress."""
TOGETHER = {"cpu": 2**22, "cuda": 2**28}
"""Pre-activations of a batch that go into one computation: small members gain from company, but beyond what a cache
holds, or a device fills, they would only get in each other's way."""


@dataclass(frozen=True)
class FitTable(ABC):
    """Normalised rows, or pairs of rows, and what is wanted of them."""

    stream: Stream
    configs: Sequence[FitConfig]
    site: str
    base: int
    """of the first weights"""

    @property
    def learned(self) -> list[FitConfig]:
        """What gradient descent finds."""
        return [config for config in self.configs if isinstance(config.kind, LearnedKind)]

    @abstractmethod
    def own(self, config: FitConfig) -> torch.Generator:
        """Return the generator of a member's first weights: the same whoever stands beside it."""

    def origin(self, kind: DictionaryKind) -> Weights:
        """Return where members start from: the geometric median, or the linear map that skip paths start in."""
        return self._linear if kind.has_skip else {"b_dec": self._median}

    @cached_property
    def _median(self) -> Float32[Tensor, " d_out"]:
        return geometric_median(self.stream.table.written)

    @cached_property
    def _linear(self) -> Weights:
        found = least_squares(self.stream.table)
        return {name: found[name] for name in ("b_dec", "W_skip")}


@dataclass(frozen=True)
class Member:
    """What is to be fitted, and the batches that it will see."""

    config: FitConfig
    source: int
    """place of the table that they are drawn from"""
    n_rows: int
    lengths: tuple[int, int]
    """of what is read and what is written"""


def descend(tables: Sequence[FitTable], watch: Watch) -> list[list[Weights]]:
    """Return the weights of each table's members after as many steps of Adam as the configs say, which agree on that.

    Raises `UserError` where what `watch` has unfinished is damaged, or something else under way.
    """
    members = [_member(table, place, config) for place, table in enumerate(tables) for config in table.learned]
    if not members:
        return [[] for _ in tables]
    places = list(together(members, tables[0].stream.table.rows.device.type))
    groups = [_Group.begin([members[place] for place in group], tables) for group in places]
    _take_steps(groups, tables, watch)
    made = [weights for each in groups for weights in each.descent.weights()]
    found = dict(zip([place for group in places for place in group], made, strict=True))
    in_order = iter([found[place] for place in range(len(members))])
    return [[next(in_order) for _ in table.learned] for table in tables]


def together(members: Sequence[Member], device: str) -> Iterator[list[int]]:
    """Yield the places of members that are one computation: of one type, one width and one shape of batches.

    They may be of different tables; there are no more than a processor's cache or a device holds.
    """

    def shape(place: int) -> tuple[str, int, tuple[int, ...], int, tuple[int, int]]:
        member = members[place]
        kind = member.config.kind
        agreed = kind.together if isinstance(kind, LearnedKind) else ()
        return type(kind).__name__, member.config.width, agreed, member.n_rows, member.lengths

    for _, group in groupby(sorted(range(len(members)), key=shape), key=shape):
        places = list(group)
        first = members[places[0]]
        most = max(1, TOGETHER.get(device, TOGETHER["cpu"]) // (first.n_rows * first.config.width))
        yield from (places[start : start + most] for start in range(0, len(places), most))


def _member(table: FitTable, place: int, config: FitConfig) -> Member:
    batch = table.stream.table
    return Member(config, place, min(len(batch.rows), config.batch_rows), batch.lengths)


@dataclass(frozen=True)
class _Group:
    """Members that are one computation, with the table of each."""

    descent: StackDescent
    sources: list[int]
    variance: Float32[Tensor, " member"]
    """mean squared distance from their mean of what is to be made: an error is given as a share of it"""

    @classmethod
    def begin(cls, members: Sequence[Member], tables: Sequence[FitTable]) -> "_Group":
        configs, own = [member.config for member in members], [tables[member.source] for member in members]
        origins = [table.origin(configs[0].kind) for table in own]
        origin = {name: torch.stack([each[name] for each in origins]) for name in origins[0]}
        generators = [table.own(config) for table, config in zip(own, configs, strict=True)]
        variance = torch.stack([table.stream.table.written.spread for table in own])
        descent = StackDescent.begin(origin, configs, generators, d_in=members[0].lengths[0])
        return cls(descent, [member.source for member in members], variance)


@dataclass(frozen=True)
class Run:
    """Everything that changes while a stack is fitted, and what tells this stack from others."""

    parts: Mapping[str, Carried]
    """descents, and streams of batches"""
    identity: Mapping[str, str]
    """settings, seeds and the hash of the rows"""
    what: str = "stack"

    @classmethod
    def of(cls, groups: Sequence[_Group], tables: Sequence[FitTable]) -> "Run":
        """Hash the rows and name the parts."""
        descents = {str(place): each.descent for place, each in enumerate(groups)}
        streams = {f"generator/{place}": table.stream for place, table in enumerate(tables)}
        digest = hashlib.sha256()
        for table in tables:
            for tensor in (table.stream.table.rows, table.stream.table.weight):
                digest.update(tensor.cpu().contiguous().numpy().tobytes())
        settings = json.dumps([[repr(config) for config in table.learned] for table in tables])
        seeds = json.dumps([table.base for table in tables])
        return cls(descents | streams, {"configuration": settings, "rows": digest.hexdigest(), "seed": seeds})


def _take_steps(groups: Sequence[_Group], tables: Sequence[FitTable], watch: Watch) -> None:
    run = Run.of(groups, tables)
    done = 0 if watch.unfinished is None else resume(watch.unfinished, run)
    config = groups[0].descent.configs[0]
    every = max(1, config.n_steps // N_REPORTS)
    began, since = time.perf_counter(), done
    for step in range(done + 1, config.n_steps + 1):
        drawn = [table.stream.draw(config.batch_rows) for table in tables]
        batches = [stacked([drawn[place] for place in each.sources]) for each in groups]
        losses = [each.descent.step(batch, step) for each, batch in zip(groups, batches, strict=True)]
        if step % every and step != config.n_steps:
            continue
        if watch.on_progress is not None:
            n_rows = (step - since) * sum(len(drawn[place].rows) for each in groups for place in each.sources)
            rate = n_rows / max(1e-9, time.perf_counter() - began)
            watch.on_progress(_progress(groups, losses, step, rate=rate))
        if watch.unfinished is not None:
            suspend(watch.unfinished, run, step)
        began, since = time.perf_counter(), step


def _progress(groups: Sequence[_Group], losses: Sequence[Loss], step: int, *, rate: float) -> FitProgress:
    config = groups[0].descent.configs[0]
    silence = [each.descent.silence >= config.silent_steps for each in groups]
    missed = [loss.error / each.variance for each, loss in zip(groups, losses, strict=True)]
    return FitProgress(
        step=step,
        n_steps=config.n_steps,
        fvu=float(torch.cat(missed).mean()),
        l0=float(torch.cat([loss.n_active for loss in losses]).mean()),
        silent_share=float(torch.cat([each.float().mean(dim=1) for each in silence]).mean()),
        loss=float(torch.cat([loss.total.detach() for loss in losses]).mean()),
        rows_per_second=rate,
    )
