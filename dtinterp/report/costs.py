"""What tells a model's classes from the world's becomes words: what it costs, and the order of a ranking."""

from dtinterp.equivalence.behaviour.quotient import NO_LOSS
from dtinterp.equivalence.truth.disagreements import Contrasts
from dtinterp.report.evidence import plural

SMALLEST = 5e-4
"""Return below which a loss has no digit to show."""

NOTHING = "nothing"


def loss(lost: float) -> str:
    """Return a loss of return to three digits, or `NOTHING`."""
    if lost < NO_LOSS:
        return NOTHING
    return f"{lost:.3f}" if lost >= SMALLEST else "less than 0.001"


def distractions_ranked(found: Contrasts) -> str:
    """Say in a sentence or two which distractions are shown, and in which order."""
    if found.n_costly_distractions is None:
        return "Only those that it tells apart most were priced; of these the costliest come first."
    return (
        f"All were priced: by {_of(found.n_costly_distractions)} the model loses return. Those that cost it most come "
        "first, then those that it tells apart most."
    )


def shown_of(n_shown: int, n: int) -> str:
    """Return `the first 6 of 41`, or `all 3` where none is left out."""
    return f"all {plural(n, 'pair')}" if n_shown == n else f"the first {n_shown} of {plural(n, 'pair')}"


def _of(n: int) -> str:
    return f"{n} of them" if n else "none of them"
