"""Report card of a map on held-out pairs of rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.dictionary import MAP, RowMap
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
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval


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


def load_map_card(path: Path) -> MapCard:
    """Read the report card that was saved with the map at `path`."""
    metrics = read_artefact(path, kind=MAP.name).manifest.metrics
    return settings_of(MapCard, metrics, f"the card of {path}", advice="fit it again")
