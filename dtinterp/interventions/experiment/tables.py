"""An experiment's result as tables, and as the result.json beside its file."""

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.interventions.experiment.playing import INTACT
from dtinterp.interventions.experiment.result import ArmChanges, ExperimentResult
from dtinterp.interventions.experiment.standing import rounded

N_SIDE_EFFECTS = 10
"""Features whose codes change most, of each dictionary, that a result lists; the artefact has all."""


def changes_table(result: ExperimentResult) -> pd.DataFrame:
    """Return every change: a row for each arm, measure, dose and window."""
    axes = pd.MultiIndex.from_product(
        [result.measures, result.doses, result.windows], names=["measure", "dose", "window"]
    )
    tables = [
        pd.DataFrame({"family": arm.family, "arm": arm.name, "change": arm.changes.flatten().numpy()}, index=axes)
        for arm in result.arms
    ]
    return pd.concat(tables).reset_index()


def endings_table(result: ExperimentResult) -> list[pd.DataFrame]:
    """Return how episodes end, a table for each sampler with a row for each arm at its last dose, and for none."""
    last = max((loop.dose for loop in result.loops), default=INTACT)
    shown = [loop for loop in result.loops if loop.dose in (INTACT, last)]
    tables = []
    for sampler in dict.fromkeys(loop.sampler for loop in shown):
        own = [loop for loop in shown if loop.sampler == sampler]
        rows = {
            "arm": ["intact" if loop.dose == INTACT else f"{loop.family}: {loop.arm}" for loop in own],
            "matching target": [loop.endings.matching_target.estimate for loop in own],
            "other target": [loop.endings.other_target.estimate for loop in own],
            "out of time": [loop.endings.timeout.estimate for loop in own],
        }
        tables.append(pd.DataFrame(rows))
    return tables


def result_of(result: ExperimentResult, artefact: Artefact) -> dict[str, JSON]:
    """Return the result as JSON; of controls the mean size of the change at each dose."""
    edit, *controls = result.arms
    measures = enumerate(result.measures)
    return {
        "rests_on": {"report": artefact.manifest.digest, **artefact.manifest.parents},
        "question": result.experiment["question"],
        "verdict": result.verdict,
        "in_words": result.in_words,
        "refuted_by": list(result.refuted_by),
        "model": result.model,
        "windows": list(result.windows),
        "doses": list(result.doses),
        "claims": [asdict(claim) for claim in result.claims],
        "changes": {name: _listed(edit.changes[number]) for number, name in measures},
        "controls": [{"family": arm.family, "name": arm.name, **_mean_sizes(arm, result.measures)} for arm in controls],
        "episodes": [asdict(loop) for loop in result.loops],
        "side_effects": {name: _largest(each) for name, each in result.side_effects.items()},
        "directions": {name: dict(each) for name, each in result.explains.items()},
        "missing_controls": list(result.missing),
    }


def _mean_sizes(arm: ArmChanges, measures: tuple[str, ...]) -> Mapping[str, JSON]:
    return {name: _listed(sizes) for name, sizes in zip(measures, arm.changes.abs().mean(dim=-1), strict=True)}


def _largest(change: Float32[Tensor, " feature"]) -> list[JSON]:
    found = torch.topk(change, min(N_SIDE_EFFECTS, len(change)))
    pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return [{"feature": feature, "mean_change": rounded(value)} for feature, value in pairs if value > 0]


def _listed(values: Float32[Tensor, "*shape"]) -> list[JSON]:
    return [rounded(float(value)) if value.dim() == 0 else _listed(value) for value in values]
