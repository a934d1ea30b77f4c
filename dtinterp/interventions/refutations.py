"""Rules, fixed before any run, by which measurements refute the claim that a direction carries what it is said to."""

from collections.abc import Iterator, Sequence

from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.closed_loop import ClosedLoop
from dtinterp.interventions.dose import DoseCurves

SIGNIFICANT = 0.05
"""Largest chance at which random directions count as beaten."""


def refutations(
    dose: DoseCurves, flipped: Float32[Tensor, " configuration"], loops: Sequence[ClosedLoop], *, carried: str
) -> tuple[str, ...]:
    """Return what speaks against the claim that a direction carries something, such as the instruction.

    `flipped` is what is measured when the input itself shows the other value of what is `carried`. The claim needs all
    of: the flipped input and the direction each turn every configuration; random directions moved as far turn as many
    with p ≤ 0.05; and under every sampler the intact model mostly finds the matching target, setting the value that is
    there leads no more to the other target (intervals overlap), setting the other one leads most episodes there
    (interval above one half), and more than random directions do (intervals apart).
    """
    by_loop = (sentence for loop in loops for sentence in _against_loop(loop, carried))
    return (*_against_turning(dose, flipped, carried), *by_loop)


def _against_turning(dose: DoseCurves, flipped: Float32[Tensor, " configuration"], carried: str) -> Iterator[str]:
    n_configurations, by_flip = len(flipped), int((flipped * dose.original < 0).sum())
    if by_flip < n_configurations:
        yield f"The flipped {carried} itself turns {by_flip} of {n_configurations} configurations."
    if dose.n_turned < n_configurations:
        yield f"The direction turns {dose.n_turned} of {n_configurations} configurations."
    if dose.p_value > SIGNIFICANT:
        yield f"Random directions turn as many, p = {dose.p_value:.3f}."


def _against_loop(loop: ClosedLoop, carried: str) -> Iterator[str]:
    intact, same = loop.intact.other_target, loop.same.other_target
    opposite, control = loop.opposite.other_target, loop.control.other_target
    if loop.intact.matching_target.low <= 0.5:
        yield f"Under {loop.sampler}, the intact model finds the matching target in {loop.intact.matching_target}."
    if same.low > intact.high:
        yield f"Under {loop.sampler}, setting the {carried} that is there leads {same} to the other target."
    if opposite.low <= 0.5:
        yield f"Under {loop.sampler}, setting the other {carried} leads only {opposite} to the other target."
    if control.high >= opposite.low:
        yield f"Under {loop.sampler}, random directions lead {control} to the other target, as against {opposite}."
