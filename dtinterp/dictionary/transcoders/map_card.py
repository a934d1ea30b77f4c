"""A map and held-out pairs of rows become its report card, and map and card an artefact."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import RowMap, encode, reconstruct
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import Effects
from dtinterp.dictionary.evaluation.card import Inputs, inputs_of, is_among, require_variety
from dtinterp.dictionary.kinds import MAP_KINDS
from dtinterp.dictionary.stored import AGAIN, kind_of, require_parts
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import settings_of, understood
from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval

ARTEFACT_KIND = "mlp-map"
N_AXES = {"W_enc": 2, "b_enc": 1, "W_dec": 2, "b_dec": 1, "b_in": 1, "scale_in": 0, "scale_out": 0, "W_skip": 2}


@dataclass(frozen=True)
class MapCard:
    """How a map writes outputs y as y', with m the mean output; intervals are bootstraps over clusters of rows."""

    l0: Interval
    """mean number of active features; 0 for a linear map, which has none"""
    fvu: Interval
    """`sum |y - y'|^2 / sum |y - m|^2`"""
    fvu_unseen: Interval | None
    """the same over pairs whose input is none of the fit; None where there are none, or their outputs are all alike"""
    cosine: Interval
    """mean of `y . y' / (|y| |y'|)`, 0 where either is zero"""
    mse: Interval
    """mean of `|y - y'|^2`, in squared units of the outputs"""
    dead_share: float
    """share of features that no row activates; 0 for a linear map"""
    inputs: Inputs
    """what it was judged on"""
    fitted: Inputs
    """what it was fitted to"""
    width: int
    warnings: tuple[str, ...]
    """one sentence each; empty where nothing is wrong"""
    effects: Effects | None = None
    """answers with the map in place of the layer, beside zeros and the mean output"""
    acting: Acting | None = None
    """what the model earns with the map in place of the layer"""


def map_card(
    row_map: RowMap,
    inputs: Float32[Tensor, "row d_in"],
    outputs: Float32[Tensor, "written d_out"],
    *,
    fitted: Float32[Tensor, "fitted d_in"],
    cluster: Int64[Tensor, " label"],
    generator: np.random.Generator,
) -> MapCard:
    """Return the report card on held-out pairs; `fitted` are the inputs of the fit.

    `cluster` tells which rows are drawn together, such as their episode. Raises `UserError` on rows of another length
    or with NaN, on outputs that are all alike, or where the counts disagree.
    """
    if not len(inputs) == len(outputs) == len(cluster):
        raise UserError(f"There are {len(inputs)} inputs, {len(outputs)} outputs and {len(cluster)} cluster labels.")
    require_variety(inputs_of(outputs))
    codes = encode(row_map, inputs)
    columns = _columns(outputs, reconstruct(row_map, inputs, codes), codes)
    resampled = resample(columns, cluster.cpu().numpy(), generator)
    is_new = ~is_among(inputs, fitted)
    card = MapCard(
        l0=resampled.ratio("active", "row"),
        fvu=resampled.ratio("error", "spread"),
        fvu_unseen=_unseen(columns, cluster, generator, is_new=is_new, outputs=outputs),
        cosine=resampled.ratio("cosine", "row"),
        mse=resampled.ratio("error", "row"),
        dead_share=1 - len(codes.index[codes.value != 0].unique()) / row_map.width if row_map.width else 0.0,
        inputs=inputs_of(inputs),
        fitted=inputs_of(fitted),
        width=row_map.width,
        warnings=(),
    )
    return replace(card, warnings=_warnings(card, n_unseen=int(is_new.sum())))


def save_map(
    path: Path, row_map: RowMap, card: MapCard, *, parents: Sequence[Artefact], seed: int, replace: bool = False
) -> Artefact:
    """Write the map, and its card as the artefact's metrics. Raises `UserError` where `path` exists."""
    kind = {"type": type(row_map.kind).__name__, **asdict(row_map.kind)}
    content = Content(
        kind=ARTEFACT_KIND,
        config={"name": row_map.name, "site": row_map.site, "kind": kind},
        tensors=row_map.tensors,
        metrics=asdict(card),
    )
    return write_artefact(path, content, parents=parents, seed=seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_map(path: Path, *, parent: Artefact | None = None) -> RowMap:
    """Read the map in the folder `path`; with `parent`, check that it was made from just that artefact."""
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = settings_of(_Settings, artefact.config, str(path), advice=AGAIN)
    kinds = {kind.__name__: kind for kind in MAP_KINDS}
    require_parts(artefact.tensors, N_AXES, path, optional=("W_skip",))
    kind = kind_of(settings.kind, kinds, path)
    return RowMap(**artefact.tensors, kind=kind, site=settings.site, name=settings.name)


@understood(ARTEFACT_KIND)
def load_map_card(path: Path) -> MapCard:
    """Read the report card that was saved with the map at `path`."""
    metrics = read_artefact(path, kind=ARTEFACT_KIND).manifest.metrics
    return settings_of(MapCard, metrics, f"the card of {path}", advice=AGAIN)


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    kind: Mapping[str, str | int]


def _columns(
    outputs: Float32[Tensor, "row d_out"], made: Float32[Tensor, "row d_out"], codes: Codes
) -> dict[str, Float64[np.ndarray, " row"]]:
    y, guess = outputs.double(), made.double()
    length = (y.norm(dim=1) * guess.norm(dim=1)).clamp_min(1e-300)
    columns = {
        "row": torch.ones(len(y)),
        "active": codes.n_active,
        "error": (y - guess).square().sum(dim=1),
        "spread": (y - y.mean(dim=0)).square().sum(dim=1),
        "cosine": (y * guess).sum(dim=1) / length,
    }
    return {name: column.detach().double().cpu().numpy() for name, column in columns.items()}


def _unseen(
    columns: dict[str, Float64[np.ndarray, " row"]],
    cluster: Int64[Tensor, " row"],
    generator: np.random.Generator,
    *,
    is_new: Bool[Tensor, " row"],
    outputs: Float32[Tensor, "row d_out"],
) -> Interval | None:
    if not is_new.any() or inputs_of(outputs[is_new]).n_distinct < 2:
        return None
    chosen = is_new.cpu().numpy()
    unseen = {name: column[chosen] for name, column in columns.items()}
    return resample(unseen, cluster.cpu().numpy()[chosen], generator).ratio("error", "spread")


def _warnings(card: MapCard, *, n_unseen: int) -> tuple[str, ...]:
    found = []
    if card.width > card.fitted.n_distinct:
        found.append(f"width {card.width} exceeds the {card.fitted.n_distinct} distinct inputs of the fit")
    if n_unseen == 0:
        found.append("every held-out input is one of the fit: nothing here tells learning from memory")
    elif card.fvu_unseen is None:
        found.append(
            f"the outputs of the {n_unseen} held-out inputs that are none of the fit are all alike: too few to tell "
            "learning from memory"
        )
    if card.dead_share > 0.5:
        found.append(f"{card.dead_share:.0%} of the features are dead: the width in use is far smaller")
    return tuple(found)
