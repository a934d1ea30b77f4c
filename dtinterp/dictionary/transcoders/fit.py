"""Tables of rows that belong together become the maps from one to the other, many at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import SHARED, UNWATCHED, Watch, check_shared, check_stack
from dtinterp.dictionary.rows.pairs import PairBatch, Pairs
from dtinterp.dictionary.rows.table import normalise
from dtinterp.dictionary.training.batched_training import Member, Source, descend
from dtinterp.dictionary.training.initialization import Batch, geometric_median
from dtinterp.dictionary.training.streams import Stream
from dtinterp.dictionary.transcoders.map_config import MapConfig
from dtinterp.dictionary.transcoders.map_descent import MapDescent
from dtinterp.dictionary.transcoders.maps import Linear, RowMap, SkipTranscoder
from dtinterp.foundation.errors import UserError

RIDGE = 1e-6
"""Share of the mean input variance that is added to each direction's: what has no data maps to nothing."""


@dataclass(frozen=True)
class LayerPairs:
    """What one layer reads and writes, and the maps that are wanted of it."""

    pairs: Pairs
    configs: Sequence[MapConfig]
    generator: torch.Generator
    """of first weights and batches; lives on the CPU"""


def fit_maps(wanted: Sequence[LayerPairs], *, watch: Watch = UNWATCHED) -> list[list[RowMap]]:
    """Return the maps of each layer, in the order of its configs, all transcoders fitted as one computation.

    Each is what it would be alone, to rounding. Transcoders agree on the settings of their batches, also between
    layers, and want inputs and outputs of one length. Raises `UserError` where they do not.
    """
    for each in wanted:
        check_stack(each.configs, of="maps")
    tables = [_Table.of(each) for each in wanted]
    taught = [table for table in tables if table.learnt]
    check_shared([config for table in taught for config in table.learnt], SHARED, of="maps")
    learnt = iter(descend([table.source for table in taught], partial(_begin, taught), watch))
    return [table.maps(iter(next(learnt) if table.learnt else [])) for table in tables]


def fit_map(pairs: Pairs, config: MapConfig, *, generator: torch.Generator, watch: Watch = UNWATCHED) -> RowMap:
    """Return the map that `config` asks for: `fit_maps` for one."""
    return fit_maps([LayerPairs(pairs, [config], generator)], watch=watch)[0][0]


@dataclass(frozen=True)
class _Table:
    """The pairs of a layer, normalised, with inputs centred."""

    pairs: PairBatch
    b_in: Float32[Tensor, " d_in"]
    scale_in: Float32[Tensor, ""]
    scale_out: Float32[Tensor, ""]
    wanted: LayerPairs
    base: int
    """of the first weights"""

    @classmethod
    def of(cls, wanted: LayerPairs) -> "_Table":
        """Normalise the rows."""
        pairs = wanted.pairs
        read, scale_in = normalise(pairs.inputs, pairs.weights)
        written, scale_out = normalise(pairs.outputs, pairs.weights)
        b_in = read.weight @ read.rows
        base = int(torch.randint(2**62, (), generator=wanted.generator))
        return cls(PairBatch(Batch(read.rows - b_in, read.weight), written), b_in, scale_in, scale_out, wanted, base)

    @property
    def learnt(self) -> list[MapConfig]:
        """The transcoders."""
        return [config for config in self.wanted.configs if not isinstance(config.kind, Linear)]

    @property
    def source(self) -> Source[MapConfig]:
        """What the transcoders learn from. Raises `UserError` where outputs are not as long as inputs."""
        d_in, d_out = self.pairs.inputs.rows.shape[1], self.pairs.outputs.rows.shape[1]
        if d_in != d_out:
            raise UserError(
                f"Inputs have length {d_in} and outputs {d_out}, expected the same for a transcoder: fit a linear map."
            )
        stream = Stream(self.pairs.joined, self.wanted.generator)
        return Source(stream, self.learnt, self.base, self.pairs.outputs.spread)

    @cached_property
    def linear(self) -> dict[str, Tensor]:
        """The least-squares map, in which skip paths start."""
        return _linear(self.pairs)

    @cached_property
    def median(self) -> Float32[Tensor, " d_out"]:
        """What transcoders without a skip path write at first."""
        return geometric_median(self.pairs.outputs)

    def own(self, config: MapConfig) -> torch.Generator:
        """Return the generator of a member's first weights: the same whoever stands beside it."""
        return torch.Generator().manual_seed(self.base + config.member)

    def maps(self, learnt: Iterator[dict[str, Tensor]]) -> list[RowMap]:
        """Return the maps in the order of the configs; weights of transcoders are taken from `learnt`."""
        return [
            RowMap(
                **(self.linear if isinstance(config.kind, Linear) else next(learnt)),
                b_in=self.b_in,
                scale_in=self.scale_in,
                scale_out=self.scale_out,
                kind=config.kind,
                site=self.wanted.pairs.site,
                name=config.title,
            )
            for config in self.wanted.configs
        ]


def _begin(tables: Sequence[_Table], members: Sequence[Member[MapConfig]]) -> MapDescent:
    own = [tables[member.source] for member in members]
    configs = [member.config for member in members]
    generators = [table.own(config) for table, config in zip(own, configs, strict=True)]
    if not isinstance(configs[0].kind, SkipTranscoder):
        return MapDescent.begin(torch.stack([table.median for table in own]), None, configs, generators)
    b_out, W_skip = (torch.stack([table.linear[name] for table in own]) for name in ("b_dec", "W_skip"))
    return MapDescent.begin(b_out, W_skip, configs, generators)


def _linear(pairs: PairBatch) -> dict[str, Tensor]:
    """Return the least-squares map with its mean; ridge regression with a ridge that only stands in for a rank."""
    x, y, weight = pairs.inputs.rows.double(), pairs.outputs.rows.double(), pairs.inputs.weight.double()
    mean = weight @ y
    gram = x.T @ (weight[:, None] * x)  # d_in d_in
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64, device=gram.device)
    W_skip = torch.linalg.solve(gram + ridge, x.T @ (weight[:, None] * (y - mean)))
    none = pairs.inputs.rows.new_zeros
    return {
        "W_enc": none(x.shape[1], 0),
        "b_enc": none(0),
        "W_dec": none(0, y.shape[1]),
        "b_dec": mean.float(),
        "W_skip": W_skip.float(),
    }
