"""The section that holds all dictionaries against each other, row by row and window by window."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import pandas as pd
import torch

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison, LinearCost
from dtinterp.report.figures.token_errors import ErrorPanel, token_error_figure
from dtinterp.report.filmstrip import window_slots
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section
from dtinterp.report.tables import error_panels, row_places
from environments.vocabulary import ACTIONS

N_WORST = 3
"""Rows shown of each dictionary, each of another frame."""
N_COSTS = 3
"""Dictionaries listed beside each MLP."""
N_PARTS = 8
"""Parts listed, those that decide most often."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    compared = results.of(DictionaryComparison)[0]
    comparison, trajectories, n_slots = compared.value, results.demonstrations.value, results.model.value.n_slots
    panels = error_panels(comparison)
    return {
        "compared": compared,
        "actions": ACTIONS,
        "errors": token_error_figure(panels, row_places(comparison, trajectories)),
        "worst": [_worst(panel, comparison, trajectories, n_slots) for panel in panels],
        "parts": _parts(comparison),
        "examples": [
            (
                each,
                window_slots(
                    window(trajectories, torch.tensor([each.last_step]), n_slots),
                    framed=n_slots - 1,
                    note="features below",
                ),
            )
            for each in comparison.examples
        ],
        "costs": _costs(comparison),
        "n_costs": N_COSTS,
    }


def _worst(
    panel: ErrorPanel, comparison: DictionaryComparison, trajectories: Trajectories, n_slots: int
) -> Mapping[str, object]:
    """Return the windows of the rows that one dictionary misses most."""
    frame_id = trajectories.frame_id[comparison.step].long()
    strips = [
        window_slots(
            window(trajectories, comparison.last_step[[row]], n_slots),
            framed=int(comparison.slot[row]),
            note=f"frame {int(frame_id[row])}, error {float(panel.errors.error[row]):.2g}",
        )
        for row in panel.errors.worst(frame_id, N_WORST).tolist()
    ]
    return {"panel": panel, "strips": strips}


def _parts(comparison: DictionaryComparison) -> pd.DataFrame:
    deciding = sorted(comparison.parts, key=lambda each: -each.share.estimate)[:N_PARTS]
    return pd.DataFrame(
        {"part": each.part, "windows (that have it)": each.share.n, "flipped": each.share} for each in deciding
    )


def _costs(comparison: DictionaryComparison) -> Sequence[LinearCost]:
    """Return, of each MLP, the dictionaries that have the features for which a linear map in its place costs most."""
    telling = sorted(
        (each for each in comparison.linear if each.features),
        key=lambda each: (each.layer, -each.features[0].difference.estimate),
    )
    return [each for _, costs in groupby(telling, key=lambda each: each.layer) for each in list(costs)[:N_COSTS]]


SECTION = Section("side-by-side", "Side by side", order=50, shows=(DictionaryComparison,), gather=_gather)
