"""What may be claimed: an effect at the last dose, only where no control reaches it; and what refutes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean, holm, wilson
from dtinterp.interventions.experiment.arms import DRAWN, EDIT, UNTRAINED, WRONG_SIGN
from dtinterp.interventions.experiment.playing import INTACT, Loop
from dtinterp.interventions.experiment.result import ArmChanges, Claim
from dtinterp.interventions.experiment.specification import RefutedIf
from dtinterp.interventions.measures import AnyMeasure
from dtinterp.interventions.measures.decision import FLIPPED


def claims_of(
    measures: Sequence[AnyMeasure], arms: Sequence[ArmChanges], loops: Sequence[Loop], *, seed: int
) -> tuple[Claim, ...]:
    """Return a claim for each measure, and for each sampler under which episodes were played."""
    claims = [_about_measure(measure, number, arms, seed) for number, measure in enumerate(measures)]
    claims += [_about_episodes(sampler, loops) for sampler in dict.fromkeys(loop.sampler for loop in loops)]
    adjusted = holm(np.array([each.p_value for each in claims]))
    return tuple(replace(each, adjusted=float(p)) for each, p in zip(claims, adjusted, strict=True))


def refutations_of(rules: RefutedIf, claims: Sequence[Claim], loops: Sequence[Loop]) -> tuple[str, ...]:
    """Return a sentence for each rule that is met."""
    told = (sentence for claim in claims for sentence in _against(rules, claim))
    return *told, *_against_episodes(rules, loops)


def _against(rules: RefutedIf, claim: Claim) -> Iterator[str]:
    name = claim.about
    if not claim.effect.estimate > 0:
        yield f"{name} does not change at all."
    elif rules.control_reaches and claim.reached_by:
        yield f"{name}: {_counted(claim)} as far, the first {claim.reached_by[0]}."
    elif claim.adjusted > rules.p_above:
        yield f"{name}: p = {claim.adjusted:.3f} by Holm's method, above {rules.p_above:g}."
    least = rules.flipped_below
    if least is not None and name.startswith(FLIPPED) and claim.effect.estimate < least:
        yield f"{name} in {claim.effect}, less than {least:g}."


def _against_episodes(rules: RefutedIf, loops: Sequence[Loop]) -> Iterator[str]:
    least = rules.other_target_below
    for loop in _last(loops):
        share = loop.endings.other_target
        if least is not None and loop.family == EDIT and share.estimate < least:
            yield f"Under {loop.sampler}, {share} of episodes end at the other target, less than {least:g}."


def _counted(claim: Claim) -> str:
    n = len(claim.reached_by)
    return f"{n} of {claim.n_controls} controls {'moves' if n == 1 else 'move'} it"


def _about_measure(measure: AnyMeasure, number: int, arms: Sequence[ArmChanges], seed: int) -> Claim:
    edit, *controls = (arm.changes[number, -1] for arm in arms)  # window
    effects = {
        f"{arm.family}: {arm.name}": (arm.family, _effect(changes, edit, arm.family))
        for arm, changes in zip(arms[1:], controls, strict=True)
        if not (measure.is_share and arm.family == UNTRAINED)  # its decisions hang by a hair, and flip under anything
    }
    if measure.is_share:
        interval = wilson(int(edit.sum()), len(edit))
    else:
        interval = bootstrap_mean(edit.abs().double().numpy(), numpy_generator(seed, "interventions/windows"))
    return _claim(measure.title, interval, effects)


def _effect(changes: Float32[Tensor, " window"], edit: Float32[Tensor, " window"], family: str) -> float:
    """Return the mean size of the change; of a wrong sign, that in the direction in which the edit moves a window."""
    if family == WRONG_SIGN:
        return max(0.0, float((changes * edit.sign()).mean(dtype=torch.float64)))
    return float(changes.abs().mean(dtype=torch.float64))


def _about_episodes(sampler: str, loops: Sequence[Loop]) -> Claim:
    """Return the claim that the edit sends episodes elsewhere: to the other target, more than the intact model goes."""
    own = [loop for loop in loops if loop.sampler == sampler]
    intact = next(loop for loop in own if loop.dose == INTACT).endings.matching_target.estimate
    edit = next(loop for loop in _last(own) if loop.family == EDIT).endings.matching_target
    lost = Interval(*(max(0.0, intact - each) for each in (edit.estimate, edit.high, edit.low)), n=edit.n)
    effects = {
        f"{loop.family}: {loop.arm}": (loop.family, max(0.0, intact - loop.endings.matching_target.estimate))
        for loop in own
        if loop.family != EDIT
    }
    return _claim(f"success lost in episodes ({sampler})", lost, effects)


def _last(loops: Sequence[Loop]) -> list[Loop]:
    """Return the episodes at the last dose."""
    last = max((loop.dose for loop in loops), default=INTACT)
    return [loop for loop in loops if loop.dose == last]


def _claim(about: str, effect: Interval, controls: Mapping[str, tuple[str, float]]) -> Claim:
    size = effect.estimate
    reached = tuple(name for name, (_, found) in controls.items() if found >= size)
    families = ([found for own, found in controls.values() if own == family] for family in DRAWN)
    drawn = next(filter(None, families), [])  # few features match, and one that does as much ends the claim
    p_value = (1 + sum(found >= size for found in drawn)) / (1 + len(drawn))  # Phipson & Smyth 2010, SAGMB 9:39, eq. 2
    largest = max((found for _, found in controls.values()), default=0.0)
    return Claim(about, effect, largest, reached, len(controls), p_value, p_value)
