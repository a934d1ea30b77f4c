"""An experiment is run: every arm at every dose in every window, whole episodes, and what follows."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TypeVar

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.sites import slots_at
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.experiment.arms import ExperimentArm, arms_of, missing
from dtinterp.interventions.experiment.claims import claims_of, refutations_of
from dtinterp.interventions.experiment.opening import Opened
from dtinterp.interventions.experiment.playing import Playing, plays_of
from dtinterp.interventions.experiment.result import ArmChanges, ExperimentResult
from dtinterp.interventions.intervene import hooks, made
from dtinterp.interventions.measures import AnyMeasure
from dtinterp.interventions.measures.logit_difference import Restored
from dtinterp.interventions.sweeps import sweep

JobT = TypeVar("JobT")


def run_opened(opened: Opened, *, cache: JobCache = NO_CACHE) -> ExperimentResult:
    """Run an experiment; the same experiment and model give the same bits on one machine."""
    experiment, names = opened.experiment, opened.names
    arms = arms_of(opened)
    pieces = cache.about("arm").done("arms in windows", _numbered(arms), partial(_piece, opened))
    changed = tuple(ArmChanges(arm.family, arm.name, piece["changes"]) for arm, piece in zip(arms, pieces, strict=True))
    plays = plays_in(opened)
    played = cache.about("play").done("arms in whole episodes", _numbered(plays), Playing.play) if plays else ()
    loops = tuple(play.loop(piece) for play, piece in zip(plays, played, strict=True))
    claims = claims_of(experiment.measure, changed, loops, seed=experiment.seeds[0])
    return ExperimentResult(
        experiment=experiment.said,
        model=names.subject.trained.artefact.name,
        measures=tuple(each.title for each in experiment.measure),
        windows=tuple(names.names),
        doses=_doses(opened),
        arms=changed,
        loops=loops,
        side_effects={name: _side_effects(opened, each) for name, each in names.dictionaries.items()},
        explains={name: dict(each.explains) for name, each in opened.found.items()},
        claims=claims,
        refuted_by=refutations_of(experiment.refuted_if, claims, loops),
        missing=missing(opened, arms),
    )


def _named(measures: Sequence[AnyMeasure], names: Bindings) -> tuple[AnyMeasure, ...]:
    """Return the measures, those that compare windows told which these are."""
    told = {"names": tuple(names.names)}
    return tuple(each.model_copy(update=told) if isinstance(each, Restored) else each for each in measures)


def plays_in(opened: Opened) -> list[Playing]:
    """Return the whole episodes that are asked for. Raises `UserError` for edits that cannot be made in them."""
    settings = opened.experiment.closed_loop
    if settings is None:
        return []
    return plays_of(arms_of(opened), settings, n_doses=opened.n_doses, seed=opened.experiment.seeds[0])


def changes_in(opened: Opened, arm: ExperimentArm) -> Float32[Tensor, "measure dose window"]:
    """Return by how much an arm changes each measure, against its own model untouched."""
    names, measures = arm.names, _named(opened.experiment.measure, opened.names)
    edited = sweep(names.model, names.windows, names.items, arm.edits)
    return torch.stack([each.change(edited, _untouched(names)) for each in measures])


@lru_cache(maxsize=2)  # all arms are of the model or of the untrained one
def _untouched(names: Bindings) -> Float32[Tensor, "window action"]:
    return sweep(names.model, names.windows, names.items, [])[0]


def _piece(opened: Opened, arm: ExperimentArm) -> dict[str, Tensor]:
    return {"changes": changes_in(opened, arm)}


def _numbered(jobs: Sequence[JobT]) -> dict[str, JobT]:
    return {f"{number:04d}": job for number, job in enumerate(jobs)}


def _doses(opened: Opened) -> tuple[float, ...]:
    """Return the doses of the first sweep as its file writes them, else numbers."""
    for edit in opened.experiment.edits:
        for amount in (getattr(edit, name, None) for name in ("to", "by", "high")):
            doses = amount.doses() if isinstance(amount, HowMuch) else None
            if doses and len(doses) == opened.n_doses:
                return doses
    return tuple(map(float, range(opened.n_doses)))


@torch.no_grad()
def _side_effects(opened: Opened, dictionary: Dictionary) -> Float32[Tensor, " feature"]:
    """Return by how much each feature's code changes at the last dose, on average over all real slots."""
    before, after = (_codes(opened.names, edits, opened.n_doses, dictionary) for edits in ((), opened.edits))
    return (after - before).abs().mean(dim=0)


def _codes(
    names: Bindings, edits: Sequence[Dosed], n_doses: int, dictionary: Dictionary
) -> Float32[Tensor, "row feature"]:
    windows, model = names.windows, names.model
    seen: list[Tensor] = []

    def look(activation: Float32[Tensor, "*activation"], **_: object) -> None:
        seen.append(slots_at(dictionary.site, activation, model.cfg.observation_tokens)[windows.mask])

    changes = [made(each, slice(n_doses - 1, n_doses), len(windows)) for each in edits]
    model.run_with_hooks(windows, names.items, fwd_hooks=[*hooks(model, windows, changes), (dictionary.site, look)])
    return encode_dense(dictionary, seen[0])
