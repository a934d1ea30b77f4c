"""Report card of a map on held-out pairs of rows, and maps with their cards on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import RowMap
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import Effects
from dtinterp.dictionary.evaluation.reconstruction import (
    Inputs,
    Reconstruction,
    ReconstructionCard,
    inputs_of,
    is_among,
    numbers,
    require_variety,
)
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
class MapCard(ReconstructionCard):
    """How a map writes outputs; of its rows the inputs are counted."""

    fvu_unseen: Interval | None
    """`fvu` over pairs whose input is none of the fit; None where there are none, or their outputs are all alike"""
    fitted: Inputs
    """what it was fitted to"""
    warnings: tuple[str, ...]
    """one sentence each; empty where nothing is wrong"""
    effects: Effects | None = None
    """answers with the map in place of the layer, beside zeros and the mean output"""
    acting: Acting | None = None
    """what the model returns with the map in place of the layer"""


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
    found = Reconstruction.by(row_map, inputs, outputs).double()
    columns = numbers({**found.errors, "cosine": found.cosine})
    resampled = resample(columns, cluster.cpu().numpy(), generator)
    is_new, learnt = ~is_among(inputs, fitted), inputs_of(fitted)
    unseen = None
    if is_new.any() and inputs_of(outputs[is_new]).n_distinct > 1:
        chosen = is_new.cpu().numpy()
        part = {name: column[chosen] for name, column in columns.items()}
        unseen = resample(part, cluster.cpu().numpy()[chosen], generator).ratio("error", "spread")
    shared = found.card(resampled, inputs_of(inputs))
    warnings = shared.warnings_on(learnt, n_unseen=int(is_new.sum()), is_unseen_judged=unseen is not None)
    return MapCard(**vars(shared), fvu_unseen=unseen, fitted=learnt, warnings=warnings)


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
