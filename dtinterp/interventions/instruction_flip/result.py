"""What the result.json of an instruction flip says."""

from collections.abc import Sequence
from dataclasses import asdict

import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.interventions.experiment.standing import rounded
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.rivals import Rival

QUANTILES = (0.025, 0.5, 0.975)
"""Of the random directions' logit differences; the report artefact has every draw."""


def result_of(report: InterventionReport, artefact: Artefact) -> dict[str, JSON]:
    """Return the report's numbers as JSON; a fraction whose denominator is 0 becomes null."""
    return {
        "rests_on": {"report": artefact.manifest.digest, **artefact.manifest.parents},
        "refuted_by": list(report.refutations),
        "specification": report.specification.model_dump(mode="json"),
        "configurations": list(report.configurations),
        "direction": {
            "explained_variance": rounded(report.direction.explained),
            "variance_share": _listed(report.direction.variance_share),
            "separates_keys_from_balls": report.direction.is_separating,
            "target_cosine": None if report.target_cosine is None else rounded(report.target_cosine),
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


def _rival(report: InterventionReport, rival: Rival) -> dict[str, JSON]:
    loops = zip(report.closed_loop, rival.endings, strict=True)
    return {
        "name": rival.name,
        "cosine": [rounded(each) for each in rival.cosine],
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
    return [rounded(float(value)) if value.dim() == 0 else _listed(value) for value in values]
