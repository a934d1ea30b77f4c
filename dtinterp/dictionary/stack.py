"""Rows of sites become many dictionaries at once.

A member's first weights come from its own number, and a site's batches from one generator that no member touches: how
alike it is to what it would be alone, `bundles` says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.baselines import Weights, baseline
from dtinterp.dictionary.config import UNWATCHED, FitConfig, Watch, check_shared, check_stack
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Autoencoder, Ica, Kind, KMeans, Pca, SemiNmf
from dtinterp.dictionary.rows.table import RowSource, normalise, rows_at
from dtinterp.dictionary.training.batched_training import Member, Source, descend
from dtinterp.dictionary.training.descent import Descent
from dtinterp.dictionary.training.initialization import geometric_median
from dtinterp.dictionary.training.streams import Stream
from dtinterp.foundation import seeding
from dtinterp.foundation.errors import UserError


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
    learnt = descend([table.source for table in tables], partial(_begin, tables), watch)
    return [table.dictionaries(iter(found)) for table, found in zip(tables, learnt, strict=True)]


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
    def source(self) -> Source[FitConfig]:
        """What the autoencoders learn from."""
        learnt = [config for config in self.configs if isinstance(config.kind, Autoencoder)]
        return Source(self.stream, learnt, self.base, self.stream.table.spread)

    @cached_property
    def median(self) -> Float32[Tensor, " d_model"]:
        """Where autoencoders start from."""
        return geometric_median(self.stream.table)

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
            Dictionary(
                **part,
                kind=config.kind,
                scale=self.scale,
                site=self.site,
                name=config.title,
                of_untrained=False,
            )
            for part, config in zip(parts, self.configs, strict=True)
        ]


def _begin(tables: Sequence[_Table], members: Sequence[Member[FitConfig]]) -> Descent:
    own = [tables[member.source] for member in members]
    configs = [member.config for member in members]
    b_dec = torch.stack([table.median for table in own])
    return Descent.begin(b_dec, configs, [table.own(config) for table, config in zip(own, configs, strict=True)])


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
