"""Fitting dictionaries to rows of sites, and maps to pairs of rows of layers: one, or a stack as one computation.

A member's first weights come from its own number, and a table's batches from one generator that no member touches: how
alike it is to what it would be alone, `batched_training` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.config import UNWATCHED, FitConfig, MapConfig, Watch, check_shared, check_stack
from dtinterp.dictionary.dictionary import Dictionary, RowMap
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.computed import ComputedKind, directed
from dtinterp.dictionary.kinds.kind import Weights
from dtinterp.dictionary.rows.batches import Batch, Stream
from dtinterp.dictionary.rows.table import Pairs, RowSource, normalise, rows_at
from dtinterp.dictionary.training.batched_training import FitTable, descend
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


@dataclass(frozen=True)
class LayerPairs:
    """What one layer reads and writes, and the maps that are wanted of it."""

    pairs: Pairs
    configs: Sequence[MapConfig]
    generator: torch.Generator
    """of first weights and batches; lives on the CPU"""


def fit_sites(wanted: Sequence[SiteRows], *, watch: Watch = UNWATCHED) -> list[list[Dictionary]]:
    """Return the dictionaries of each site, in the order of its configs, all fitted as one computation.

    Autoencoders agree on the settings of their batches, also between sites. Raises `UserError` on settings that do not
    go together, a harvest of another site, rows with NaN, rows that are all alike, or more components than rows or
    d_model.
    """
    for each in wanted:
        check_stack(each.configs)
    check_shared([config for each in wanted for config in each.configs])
    tables = [_RowTable.of(each) for each in wanted]
    found = zip(tables, _weights(tables, watch), strict=True)
    return [
        [table.dictionary(config, own) for config, own in zip(table.configs, weights, strict=True)]
        for table, weights in found
    ]


def fit_maps(wanted: Sequence[LayerPairs], *, watch: Watch = UNWATCHED) -> list[list[RowMap]]:
    """Return the maps of each layer, in the order of its configs, all transcoders fitted as one computation.

    Each is what it would be alone, to rounding. Raises `UserError` where transcoders do not agree on the settings of
    their batches, also between layers.
    """
    for each in wanted:
        check_stack(each.configs, of="maps")
    tables = [_PairTable.of(each) for each in wanted]
    check_shared([config for table in tables for config in table.learned], of="maps")
    found = zip(tables, _weights(tables, watch), strict=True)
    return [
        [table.row_map(config, own) for config, own in zip(table.configs, weights, strict=True)]
        for table, weights in found
    ]


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


def fit(
    rows: RowSource,
    config: FitConfig,
    *,
    generator: torch.Generator,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
    watch: Watch = UNWATCHED,
) -> Dictionary:
    """Return the dictionary that `config` asks for: a stack of one, see `fit_stack`."""
    return fit_stack(rows, (config,), generator=generator, site=site, weights=weights, watch=watch)[0]


def fit_map(pairs: Pairs, config: MapConfig, *, generator: torch.Generator, watch: Watch = UNWATCHED) -> RowMap:
    """Return the map that `config` asks for: `fit_maps` for one."""
    return fit_maps([LayerPairs(pairs, [config], generator)], watch=watch)[0][0]


def of_directions(
    directions: Float32[Tensor, "feature d_model"],
    rows: RowSource,
    config: FitConfig,
    *,
    site: str = "",
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None,
) -> Dictionary:
    """Return the dictionary of given directions, such as the item basis, which writes `rows` about their mean.

    `config.kind` is `Items`. Raises `UserError` where directions and rows differ in length, on a harvest of another
    site, and where rows or weights are impossible.
    """
    table, own_site = rows_at(rows, site)
    if not isinstance(config.kind, Items):
        raise UserError(f"The kind is {type(config.kind).__name__}, expected Items: `fit` finds the others.")
    if directions.shape[1] != table.shape[1]:
        raise UserError(
            f"The directions have length {directions.shape[1]}, the rows {table.shape[1]}: give both from one site."
        )
    batch, scale = normalise(table, weights)
    parts = directed(batch, directions.detach())
    return Dictionary(**parts, kind=config.kind, scale=scale, site=own_site, name=config.title, of_untrained=False)


def _weights(tables: Sequence[FitTable], watch: Watch) -> list[list[Weights]]:
    """Return the weights of all that is wanted of each table, in the order of its configs."""
    taught = [table for table in tables if table.learned]
    learned = iter([weights for of_table in descend(taught, watch) for weights in of_table])
    return [
        [
            config.kind.compute(table.stream.table, width=config.width, generator=table.own(config))
            if isinstance(config.kind, ComputedKind)
            else next(learned)
            for config in table.configs
        ]
        for table in tables
    ]


@dataclass(frozen=True)
class _RowTable(FitTable):
    """The normalised rows of a site."""

    scale: Float32[Tensor, ""]

    @classmethod
    def of(cls, wanted: SiteRows) -> "_RowTable":
        """Normalise the rows. Raises `UserError` where they cannot bear the dictionaries that are wanted."""
        rows, site = rows_at(wanted.rows, wanted.site)
        batch, scale = normalise(rows, wanted.weights)
        counted = rows[batch.weight > 0]
        if (counted == counted[0]).all():
            raise UserError(
                f"All {len(counted)} rows are the same vector, expected at least 2 distinct ones: harvest more varied "
                "windows."
            )
        for config in wanted.configs:
            config.kind.check_rows(counted)
        base = int(torch.randint(2**62, (), generator=wanted.generator))
        return cls(Stream(batch, wanted.generator), wanted.configs, site, base, scale)

    def own(self, config: FitConfig) -> torch.Generator:
        """Return the generator of the member's stream."""
        return seeding.generator(self.base, f"member/{config.member}")

    def dictionary(self, config: FitConfig, weights: Weights) -> Dictionary:
        """Return the dictionary of these weights."""
        site, name = self.site, config.title
        return Dictionary(**weights, kind=config.kind, scale=self.scale, site=site, name=name, of_untrained=False)


@dataclass(frozen=True)
class _PairTable(FitTable):
    """The pairs of a layer, normalised, with inputs centred; each input has its output behind it in one row."""

    b_in: Float32[Tensor, " d_in"]
    scale_in: Float32[Tensor, ""]
    scale_out: Float32[Tensor, ""]

    @classmethod
    def of(cls, wanted: LayerPairs) -> "_PairTable":
        """Normalise the rows."""
        pairs = wanted.pairs
        read, scale_in = normalise(pairs.inputs, pairs.weights)
        written, scale_out = normalise(pairs.outputs, pairs.weights)
        b_in = read.weight @ read.rows
        batch = Batch(torch.cat([read.rows - b_in, written.rows], dim=1), read.weight, len(b_in))
        base = int(torch.randint(2**62, (), generator=wanted.generator))
        return cls(Stream(batch, wanted.generator), wanted.configs, pairs.site, base, b_in, scale_in, scale_out)

    def own(self, config: FitConfig) -> torch.Generator:
        """Return the generator of the member's number."""
        return torch.Generator().manual_seed(self.base + config.member)

    def row_map(self, config: FitConfig, weights: Weights) -> RowMap:
        """Return the map of these weights."""
        units = {"b_in": self.b_in, "scale_in": self.scale_in, "scale_out": self.scale_out}
        return RowMap(**weights, **units, kind=config.kind, site=self.site, name=config.title)
