"""Two tables of rows that belong together become the map from one to the other."""

import time
from dataclasses import dataclass, field, replace
from typing import assert_never

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.autoencoder import Batch, Parameters, geometric_median, initialise
from dtinterp.dictionary.config import UNWATCHED, FitProgress, Watch
from dtinterp.dictionary.dictionary import check_rows
from dtinterp.dictionary.losses import revival
from dtinterp.dictionary.maps import Linear, MapKind, RowMap, SkipTranscoder, Transcoder
from dtinterp.dictionary.rows import normalise
from dtinterp.dictionary.sparse import strongest
from dtinterp.foundation.errors import UserError

RIDGE = 1e-6
"""Share of the mean input variance that is added to each direction's: what has no data maps to nothing."""
FALL = 0.2
"""Share of the steps over which the learning rate falls to zero."""
N_REPORTS = 100
"""How often a fit reports its progress."""


@dataclass(frozen=True)
class MapConfig:
    """How a map is fitted."""

    kind: MapKind = field(default_factory=SkipTranscoder)
    """a transcoder, or the linear map that it has to beat"""
    width: int = 512
    """features of a transcoder"""
    n_steps: int = 1000
    """steps of Adam (a linear map needs none)"""
    batch_rows: int = 1024
    """rows a step"""
    learning_rate: float = 3e-3
    """of Adam; falls linearly to zero over the last fifth of the steps"""
    silent_steps: int = 50
    """steps without firing after which a feature takes part in the auxiliary loss"""
    member: int = 0
    """tells apart transcoders that differ in their first weights alone"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for setting in ("width", "n_steps", "batch_rows", "silent_steps"):
            if getattr(self, setting) < 1:
                raise UserError(f"{setting} is {getattr(self, setting)}, expected at least 1: give a larger number.")
        if not 0 < self.learning_rate < 1:
            raise UserError(f"learning_rate is {self.learning_rate}, expected between 0 and 1: give another one.")
        if not isinstance(self.kind, Linear) and self.kind.k > self.width:
            raise UserError(f"k is {self.kind.k}, expected at most the width {self.width}: give a smaller k.")

    @property
    def title(self) -> str:
        """The map's name."""
        member = f"-m{self.member}" if self.member else ""
        match self.kind:
            case Linear():
                return "linear"
            case Transcoder(k=k):
                return f"transcoder-{self.width}-k{k}{member}"
            case SkipTranscoder(k=k):
                return f"skip-transcoder-{self.width}-k{k}{member}"


@dataclass(frozen=True)
class Pairs:
    """Rows that a layer read and the rows that it wrote. Raises `UserError` where there is nothing to learn."""

    inputs: Float32[Tensor, "row d_in"]
    outputs: Float32[Tensor, "written d_out"]
    """as many as inputs, in the same order"""
    site: str = ""
    """what was read and written, such as blocks.0.mlp"""
    weights: Float[Tensor, " row"] | Int64[Tensor, " row"] | None = None
    """how often each pair counts, >= 0, any sum; None: once"""

    def __post_init__(self) -> None:
        """Refuse tables of different number, NaN, and inputs that are all alike."""
        if len(self.inputs) != len(self.outputs):
            raise UserError(
                f"There are {len(self.inputs)} inputs and {len(self.outputs)} outputs, expected as many: give pairs."
            )
        for rows in (self.inputs, self.outputs):
            check_rows(rows, rows.shape[1])
        if (self.inputs == self.inputs[0]).all():
            raise UserError(
                f"All {len(self.inputs)} inputs are the same vector, expected at least 2 distinct ones: harvest more "
                "varied windows."
            )


def fit_map(pairs: Pairs, config: MapConfig, *, generator: torch.Generator, watch: Watch = UNWATCHED) -> RowMap:
    """Return the map that `config` asks for; a transcoder wants inputs and outputs of one length."""
    ready = _normalised(pairs)
    own = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)) + config.member)
    match config.kind:
        case Linear():
            learnt = _linear(ready)
        case Transcoder() | SkipTranscoder() as kind:
            learnt = _descend(ready, kind, config, generators=(own, generator), watch=watch)
        case _:
            assert_never(config.kind)
    return RowMap(
        **learnt,
        b_in=ready.b_in,
        scale_in=ready.scale_in,
        scale_out=ready.scale_out,
        kind=config.kind,
        site=pairs.site,
        name=config.title,
    )


@dataclass(frozen=True)
class _Normalised:
    """Inputs, normalised and centred, and outputs, normalised, with one weight for both."""

    inputs: Batch
    outputs: Batch
    b_in: Float32[Tensor, " d_in"]
    scale_in: Float32[Tensor, ""]
    scale_out: Float32[Tensor, ""]

    def drawn(self, cumulative: Float64[Tensor, " row"], n_rows: int, generator: torch.Generator) -> "_Normalised":
        """Return pairs drawn in proportion to their weight; where there are no more than `n_rows`, all of them."""
        if len(self.inputs.rows) <= n_rows:
            return self
        place = torch.rand(n_rows, generator=generator, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
        index = torch.searchsorted(cumulative, place, right=True).clamp_max(len(cumulative) - 1)
        weight = self.inputs.weight.new_full((n_rows,), 1 / n_rows)
        inputs, outputs = Batch(self.inputs.rows[index], weight), Batch(self.outputs.rows[index], weight)
        return replace(self, inputs=inputs, outputs=outputs)


def _normalised(pairs: Pairs) -> _Normalised:
    read, scale_in = normalise(pairs.inputs, pairs.weights)
    written, scale_out = normalise(pairs.outputs, pairs.weights)
    b_in = read.weight @ read.rows
    return _Normalised(Batch(read.rows - b_in, read.weight), written, b_in, scale_in, scale_out)


def _linear(pairs: _Normalised) -> dict[str, Tensor]:
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


def _descend(
    pairs: _Normalised,
    kind: Transcoder | SkipTranscoder,
    config: MapConfig,
    *,
    generators: tuple[torch.Generator, torch.Generator],
    watch: Watch,
) -> dict[str, Tensor]:
    """Return the weights after `n_steps` of Adam; the skip path starts as the least-squares map."""
    parameters, b_out, W_skip = _start(pairs, kind, config, generators[0])
    learnt = [parameters.W_enc, parameters.b_enc, parameters.W_dec, b_out, *([] if W_skip is None else [W_skip])]
    for tensor in learnt:
        tensor.requires_grad_()
    optimiser = torch.optim.Adam(learnt, fused=True)
    silence = torch.zeros_like(parameters.b_enc, dtype=torch.int64)
    cumulative = pairs.inputs.weight.double().cumsum(0)
    k = torch.tensor([kind.k], device=b_out.device)
    began = time.perf_counter()
    for step in range(1, config.n_steps + 1):
        drawn = pairs.drawn(cumulative, config.batch_rows, generators[1])
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (1 - (step - 1) / config.n_steps) / FALL)
        loss = _loss(_Layer(parameters, b_out, W_skip), drawn, k=k, is_silent=silence >= config.silent_steps)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        silence.add_(1).masked_fill_(loss.is_fired, 0)
        if watch.on_progress is not None and step % max(1, config.n_steps // N_REPORTS) == 0:
            rate = step * len(drawn.inputs.rows) / max(1e-9, time.perf_counter() - began)
            watch.on_progress(_progress(loss, step, config, silence, rate))
    return _read_off(parameters, b_out, W_skip)


@dataclass(frozen=True)
class _Layer:
    parameters: Parameters
    """one member; its b_dec is zero, since inputs are centred already"""
    b_out: Float32[Tensor, " d_out"]
    W_skip: Float32[Tensor, "d_in d_out"] | None


@dataclass(frozen=True)
class _Loss:
    total: Float[Tensor, ""]
    fvu: Float[Tensor, ""]
    n_active: Float[Tensor, ""]
    is_fired: Bool[Tensor, "1 feature"]


def _loss(layer: _Layer, pairs: _Normalised, *, k: Int64[Tensor, " 1"], is_silent: Bool[Tensor, "1 feature"]) -> _Loss:
    """Return `|y - y'|^2 / |y - mean|^2` plus the auxiliary loss of silent features, as TopK has it."""
    rows, parameters = pairs.inputs.rows, layer.parameters
    kept = strongest(rows, parameters.W_enc, parameters.b_enc, parameters.W_dec, k)
    remainder = pairs.outputs.rows - layer.b_out - kept.made[0]  # row d_out
    if layer.W_skip is not None:
        remainder = remainder - rows @ layer.W_skip
    error = pairs.outputs.mean(remainder.square().sum(dim=1)) / pairs.outputs.spread
    silent = revival(parameters, pairs.inputs, remainder.detach()[None], is_silent).sum()
    is_active = kept.value > 0
    fired = torch.zeros(is_silent.shape, device=rows.device)
    fired.scatter_add_(1, kept.index.flatten(1), is_active.flatten(1).float())
    n_active = pairs.inputs.mean(is_active[0].sum(dim=1).float())
    return _Loss(error + silent, error.detach(), n_active, fired > 0)


def _start(
    pairs: _Normalised, kind: Transcoder | SkipTranscoder, config: MapConfig, generator: torch.Generator
) -> tuple[Parameters, Tensor, Tensor | None]:
    """Return random encoder rows of norm 1 with a decoder of zeros: at first a transcoder writes its bias alone."""
    if pairs.inputs.rows.shape[1] != pairs.outputs.rows.shape[1]:
        raise UserError(
            f"Inputs have length {pairs.inputs.rows.shape[1]} and outputs {pairs.outputs.rows.shape[1]}, expected the "
            "same for a transcoder: fit a linear map."
        )
    drawn = initialise(torch.zeros_like(pairs.b_in)[None], config.width, decoder_norm=1.0, generators=[generator])
    parameters = replace(drawn, W_dec=torch.zeros_like(drawn.W_dec))
    if isinstance(kind, SkipTranscoder):
        linear = _linear(pairs)
        return parameters, linear["b_dec"], linear["W_skip"]
    return parameters, geometric_median(pairs.outputs), None


@torch.no_grad()
def _read_off(parameters: Parameters, b_out: Tensor, W_skip: Tensor | None) -> dict[str, Tensor]:
    """Return the weights with decoder rows of norm one: what a row loses, its activation gains."""
    unit = parameters.with_unit_decoder()
    weights = {"W_enc": unit.W_enc[0], "b_enc": unit.b_enc[0], "W_dec": unit.W_dec[0], "b_dec": b_out}
    weights |= {} if W_skip is None else {"W_skip": W_skip}
    return {name: tensor.detach().contiguous().clone() for name, tensor in weights.items()}


def _progress(
    loss: _Loss, step: int, config: MapConfig, silence: Int64[Tensor, "1 feature"], rate: float
) -> FitProgress:
    return FitProgress(
        step=step,
        n_steps=config.n_steps,
        fvu=float(loss.fvu),
        l0=float(loss.n_active),
        silent_share=float((silence >= config.silent_steps).float().mean()),
        loss=float(loss.total.detach()),
        rows_per_second=rate,
    )
