"""The result.json beside an experiment: written, or compared with the one that stands there."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.rivals import Rival

QUANTILES = (0.025, 0.5, 0.975)
"""Of the random directions' logit differences; the report artefact has every draw."""
TOLERANCE = 1e-3
"""By which a number may differ on another machine, in units of itself where it is larger than 1."""


def write_result(path: Path, report: InterventionReport, *, artefact: Artefact, replace: bool = False) -> None:
    """Write the result of the report that is stored in `artefact` to the file `path`, whole or not at all.

    Raises `UserError` where it exists and `replace` is not given.
    """
    refuse_result(path, replace=replace)
    write_text(path, json.dumps(result_of(report, artefact), indent=1, allow_nan=False) + "\n")


def refuse_result(path: Path, *, replace: bool) -> None:
    """Raise `UserError` where `path` may not be written; called before the experiment is run, too."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected a file's place: move it away.")
    if path.exists() and not replace:
        raise UserError(f"{path} exists already: give --replace to write it anew.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written, since {path.parent} is no writable folder: move the experiment.")


def differences(stored: JSON, report: InterventionReport, artefact: Artefact) -> list[str]:
    """Return the entries in which a stored result and the report in `artefact` differ, such as `restored/(0,5)/0`.

    Numbers differ beyond `TOLERANCE`. The report's digest is left out: it holds the last bits, too.
    """
    before, after = (dict(_entries(each)) for each in (stored, json.loads(json.dumps(result_of(report, artefact)))))
    names = [name for name in {**before, **after} if name != "rests_on/report"]
    return [name for name in names if not (name in before and name in after and _alike(before[name], after[name]))]


def result_of(report: InterventionReport, artefact: Artefact) -> dict[str, JSON]:
    """Return the report's numbers as JSON; a fraction whose denominator is 0 becomes null."""
    return {
        "rests_on": {"report": artefact.manifest.digest, **artefact.manifest.parents},
        "refuted_by": list(report.refutations),
        "specification": report.specification.model_dump(mode="json"),
        "configurations": list(report.configurations),
        "direction": {
            "explained_variance": _rounded(report.direction.explained),
            "variance_share": _listed(report.direction.variance_share),
            "separates_keys_from_balls": report.direction.is_separating,
            "target_cosine": None if report.target_cosine is None else _rounded(report.target_cosine),
        },
        "turned_at_opposite": _turned(report),
        "logit_difference": _logit_differences(report),
        "restored": _by_decoy(report, report.restored),
        "projection": {
            "original": _listed(report.dose.projection),
            "decoys": _by_decoy(report, report.decoy_projection),
        },
        "closed_loop": [{**asdict(loop), "p_value": loop.p_value} for loop in report.closed_loop],
        "rivals": [_rival(report, rival) for rival in report.rivals],
    }


def _entries(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield what a JSON value holds at its ends, each with the names that lead there."""
    match value:
        case Mapping():
            inside = list(value.items())
        case [*parts]:
            inside = [(str(place), part) for place, part in enumerate(parts)]
        case _:
            yield name, value
            return
    for key, part in inside:
        yield from _entries(part, f"{name}/{key}" if name else key)


def _alike(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    return one == other


def _rival(report: InterventionReport, rival: Rival) -> dict[str, JSON]:
    loops = zip(report.closed_loop, rival.endings, strict=True)
    return {
        "name": rival.name,
        "cosine": [_rounded(each) for each in rival.cosine],
        "n_turned": list(rival.n_turned),
        "p_value": rival.p_value(report.dose.n_turned),
        "endings": [
            {**asdict(each), "p_value": each.p_value(loop.opposite.other_target.estimate)} for loop, each in loops
        ],
    }


def _turned(report: InterventionReport) -> dict[str, JSON]:
    return {
        "n_configurations": len(report.configurations),
        "instruction": report.dose.n_turned,
        "control_share": asdict(report.dose.control_share),
        "n_draws": len(report.dose.controls),
        "p_value": report.dose.p_value,
    }


def _logit_differences(report: InterventionReport) -> dict[str, JSON]:
    dose = report.dose
    quantiles = torch.quantile(dose.controls, torch.tensor(QUANTILES), dim=0)  # quantile configuration coefficient
    return {
        "original": _listed(dose.original),
        "flipped": _listed(report.flipped),
        "decoys": _by_decoy(report, report.decoys),
        "coefficient": _listed(dose.coefficient),
        "instruction": _listed(dose.instruction),
        "control_quantiles": {f"{q:g}": _listed(curve) for q, curve in zip(QUANTILES, quantiles, strict=True)},
    }


def _by_decoy(report: InterventionReport, values: Float[Tensor, "decoy configuration"]) -> dict[str, JSON]:
    names = [" ".join(f"({x},{y})" for x, y in cells) for cells in report.specification.decoys]
    return {name: _listed(row) for name, row in zip(names, values, strict=True)}


def _listed(values: Float[Tensor, "*shape"]) -> Sequence[JSON]:
    return [_rounded(float(value)) if value.dim() == 0 else _listed(value) for value in values]


def _rounded(value: float) -> float | None:
    """Six digits are more than float32 repeats on another machine."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
