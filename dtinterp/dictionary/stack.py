"""Streams of rows become many dictionaries at once.

Members of a stack share no weights, and those of one site see the same batches, so each is what it would be alone: its
first weights come from its own number, and a site's batches from one generator that no member touches. On one thread of
the processors that were tried its bits are the same too; a library is free to add up a product of more matrices in
another order, so what is promised is equality to rounding.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.autoencoder import geometric_median
from dtinterp.dictionary.baselines import Weights, baseline
from dtinterp.dictionary.config import UNWATCHED, FitConfig, FitProgress, Watch, check_shared, check_stack
from dtinterp.dictionary.descent import Descent, Member, bundles
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Autoencoder, Ica, Kind, KMeans, Pca, SemiNmf
from dtinterp.dictionary.losses import Loss
from dtinterp.dictionary.resume import Run, resume, suspend
from dtinterp.dictionary.rows import RowSource, normalise, rows_at
from dtinterp.dictionary.streams import Stream, beside
from dtinterp.foundation import seeding
from dtinterp.foundation.errors import UserError

N_REPORTS = 100
"""How often a fit reports its progress."""


@dataclass(frozen=True)
class SiteRows:
    """The rows of one site, and the dictionaries that are wanted of them."""

    rows: RowSource
    configs: Sequence[FitConfig]
    generator: torch.Generator
    """of first weights and batches; lives on the CPU"""
    site: str = ""
    """a harvest knows its own"""
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None
    """how often each row counts, >= 0, any sum: distinct rows with their counts give the same expected gradient as the
    repeated rows; None: once"""


def fit_sites(wanted: Sequence[SiteRows], *, watch: Watch = UNWATCHED) -> list[list[Dictionary]]:
    """Return the dictionaries of each site, in the order of its configs, all fitted as one computation.

    Autoencoders agree on the settings of their batches, also between sites. Raises `UserError` on settings that do not
    go together, a harvest of another site, rows with NaN, rows that are all alike, or more components than rows or
    d_model.
    """
    for each in wanted:
        check_stack(each.configs)
    check_shared([config for each in wanted for config in each.configs])
    tables = [_Table.of(each) for each in wanted]
    found = iter(_descend(tables, watch))
    return [table.dictionaries(found) for table in tables]


def fit_stack(
    rows: RowSource,
    configs: Sequence[FitConfig],
    *,
    generator: torch.Generator,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
    watch: Watch = UNWATCHED,
) -> list[Dictionary]:
    """Return the dictionaries that `configs` ask for, all fitted to `rows`: `fit_sites` for one site."""
    return fit_sites([SiteRows(rows, configs, generator, site, weights)], watch=watch)[0]


@dataclass(frozen=True)
class _Table:
    """The normalised rows of a site as a stream."""

    stream: Stream
    scale: Float32[Tensor, ""]
    site: str
    configs: Sequence[FitConfig]
    base: int
    """of the first weights"""

    @classmethod
    def of(cls, wanted: SiteRows) -> "_Table":
        """Normalise the rows. Raises `UserError` where they cannot bear the dictionaries that are wanted."""
        rows, site = rows_at(wanted.rows, wanted.site)
        batch, scale = normalise(rows, wanted.weights)
        for config in wanted.configs:
            _check_variety(rows[batch.weight > 0], config.kind)
        base = int(torch.randint(2**62, (), generator=wanted.generator))
        return cls(Stream(batch, wanted.generator), scale, site, wanted.configs, base)

    @property
    def learnt(self) -> list[FitConfig]:
        """The autoencoders."""
        return [config for config in self.configs if isinstance(config.kind, Autoencoder)]

    def member(self, config: FitConfig, source: int) -> Member:
        """Return an autoencoder as a member of a stack."""
        rows = self.stream.table.rows
        return Member(config, source, min(len(rows), config.batch_rows), rows.shape[1])

    def own(self, config: FitConfig) -> torch.Generator:
        """Return the generator of a member's first weights: the same whoever stands beside it."""
        return seeding.generator(self.base, f"member/{config.member}")

    def dictionaries(self, learnt: Iterator[Weights]) -> list[Dictionary]:
        """Return the dictionaries in the order of the configs; weights of autoencoders are taken from `learnt`."""
        parts = [
            next(learnt)
            if isinstance(config.kind, Autoencoder)
            else baseline(self.stream.table, config.kind, width=config.width, generator=self.own(config))
            for config in self.configs
        ]
        return [
            Dictionary(**part, kind=config.kind, scale=self.scale, site=self.site, name=config.title)
            for part, config in zip(parts, self.configs, strict=True)
        ]


def _descend(tables: Sequence[_Table], watch: Watch) -> list[Weights]:
    """Return the weights of each table's autoencoders after as many steps of Adam as the configs say."""
    members = [table.member(config, source) for source, table in enumerate(tables) for config in table.learnt]
    if not members:
        return []
    groups = list(bundles(members, tables[0].stream.table.rows.device.type))
    bundled = [_bundle([members[place] for place in group], tables) for group in groups]
    run = Run([each.descent for each in bundled], [table.stream.generator for table in tables], _identity(tables))
    done = 0 if watch.unfinished is None else resume(watch.unfinished, run)
    _take_steps(bundled, [table.stream for table in tables], run, done=done, watch=watch)
    made = [weights for descent in run.descents for weights in descent.weights()]
    places = [place for group in groups for place in group]
    return [weights for _, weights in sorted(zip(places, made, strict=True), key=lambda pair: pair[0])]


@dataclass(frozen=True)
class _Bundle:
    """Members that are one computation, with the stream that each sees."""

    descent: Descent
    sources: list[int]
    variance: Float32[Tensor, " member"]


def _bundle(members: Sequence[Member], tables: Sequence[_Table]) -> _Bundle:
    own = [tables[member.source] for member in members]
    median = {member.source: geometric_median(table.stream.table) for member, table in zip(members, own, strict=True)}
    b_dec = torch.stack([median[member.source] for member in members])
    configs = [member.config for member in members]
    descent = Descent.begin(b_dec, configs, [table.own(each) for table, each in zip(own, configs, strict=True)])
    variance = torch.stack([table.stream.table.spread for table in own])
    return _Bundle(descent, [member.source for member in members], variance)


def _take_steps(bundled: Sequence[_Bundle], streams: Sequence[Stream], run: Run, *, done: int, watch: Watch) -> None:
    config = bundled[0].descent.configs[0]
    every = max(1, config.n_steps // N_REPORTS)
    began, since = time.perf_counter(), done
    for step in range(done + 1, config.n_steps + 1):
        drawn = [stream.draw(config.batch_rows) for stream in streams]
        batches = [beside([drawn[source] for source in each.sources]) for each in bundled]
        losses = [each.descent.step(batch, step) for each, batch in zip(bundled, batches, strict=True)]
        if step % every and step != config.n_steps:
            continue
        if watch.on_progress is not None:
            n_rows = (step - since) * sum(len(drawn[source].rows) for each in bundled for source in each.sources)
            rate = n_rows / max(1e-9, time.perf_counter() - began)
            watch.on_progress(_progress(bundled, losses, step, rate=rate))
        if watch.unfinished is not None:
            suspend(watch.unfinished, run, step)
        began, since = time.perf_counter(), step


def _progress(bundled: Sequence[_Bundle], losses: Sequence[Loss], step: int, *, rate: float) -> FitProgress:
    config = bundled[0].descent.configs[0]
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


def _identity(tables: Sequence[_Table]) -> dict[str, str]:
    digest = hashlib.sha256()
    for table in tables:
        for tensor in (table.stream.table.rows, table.stream.table.weight):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    settings = [[{"type": type(each.kind).__name__, **asdict(each)} for each in table.learnt] for table in tables]
    seeds = [table.base for table in tables]
    return {"configuration": json.dumps(settings), "rows": digest.hexdigest(), "seed": json.dumps(seeds)}


def _check_variety(rows: Float32[Tensor, "row d_model"], kind: Kind) -> None:
    if (rows == rows[0]).all():
        raise UserError(
            f"All {len(rows)} rows are the same vector, expected at least 2 distinct ones: harvest more varied windows."
        )
    match kind:
        case Pca(n_components=number) | Ica(n_components=number) if number > min(rows.shape):
            most, setting = min(rows.shape), "n_components"
        case SemiNmf(n_components=number) if number > len(rows):
            most, setting = len(rows), "n_components"
        case KMeans(n_clusters=number) if number > len(rows):
            most, setting = len(rows), "n_clusters"
        case _:
            return
    raise UserError(
        f"{type(kind).__name__} has {setting}={number}, expected at most {most} for {len(rows)} rows of length "
        f"{rows.shape[1]}: give fewer or more rows."
    )
