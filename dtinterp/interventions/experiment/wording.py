"""An experiment's result in plain words: what was done, what changed, beyond which controls, and the verdict."""

from collections.abc import Iterator

from dtinterp.interventions.experiment.result import Claim, ExperimentResult

SIGNIFICANT = 0.05


def paragraph(result: ExperimentResult) -> str:
    """Return a paragraph that a stranger understands, with intervals."""
    return " ".join(_sentences(result))


def verdict(result: ExperimentResult) -> str:
    """Return the verdict in a sentence: an effect that a control reaches is not called one."""
    beyond = [claim for claim in result.claims if claim.is_beyond_controls and claim.adjusted <= SIGNIFICANT]
    if not any(claim.is_beyond_controls for claim in result.claims):
        return "No effect beyond controls."
    if not beyond:
        return "No control reaches the effect on all measures, but none is significant after Holm's correction."
    names = ", ".join(claim.about for claim in beyond)
    rest = len(result.claims) - len(beyond)
    return f"An effect beyond controls on {names}" + (f"; none on {rest} other." if rest else ".")


def _sentences(result: ExperimentResult) -> Iterator[str]:
    n_doses, n_windows = len(result.doses), len(result.windows)
    span = f"at {n_doses} doses from {result.doses[0]:g} to {result.doses[-1]:g}" if n_doses > 1 else "at one dose"
    yield f"{result.model}, {n_windows} windows, {span}; claims are about the last dose."
    for claim in result.claims:
        yield _sentence(claim)
    for family in result.missing:
        yield f"There are no controls of the family {family!r} for this edit."
    yield verdict(result)


def _sentence(claim: Claim) -> str:
    said = f"{claim.about}: {claim.effect}"
    if not claim.effect.estimate > 0:
        return f"{said}, no change."
    if not claim.n_controls:
        return f"{said}, beside no control."
    if claim.reached_by:
        n = len(claim.reached_by)
        return f"{said}, no effect beyond controls, which {n} of {claim.n_controls} reach ({claim.reached_by[0]})."
    chance = f"p = {claim.p_value:.3f}, {claim.adjusted:.3f} by Holm's method"
    few = "" if claim.adjusted <= SIGNIFICANT else ", not significant"
    return f"{said}, beyond all {claim.n_controls} controls, the largest {claim.largest_control:.3f} ({chance}{few})."
