"""A certificate becomes what it does not say: of which policy its classes are, and how little the return on them shows.

The numbers are of an independent check of the models that ship: its own forward pass, windows and rollouts.
"""

from dtinterp.equivalence.report import EquivalenceReport

WEAK_CONTROL = (
    "Directions of the whole sphere are a weak control, since the model does not read most of it: in memory-dt-small-0 "
    "an independent check turned 31% of episodes by random directions in the span of key and ball items."
)


def caveats(report: EquivalenceReport) -> tuple[str, ...]:
    """Return what a reader must know before the classes, in sentences."""
    asked = f"{report.config.target_return:g}"
    if report.config.is_enumerated:
        return (
            f"These classes are of the first {report.config.horizon} steps, asked for {asked}; of later steps, and of "
            "other returns, they say nothing.",
            _weak(),
        )
    return (
        f"These classes are of the model asked for the returns that the {report.config.kind} demonstrations earned "
        f"themselves. Asked for {asked} it is another policy, of which they say nothing. In the models that ship, "
        "asked for 0.892, an independent check measured class-mates that move a decision by more than ε = 0.05 bits in "
        "10.3% of memory-dt’s own play, and in 18.1%, 14.1% and 26.1% of that of memory-dt-small-0, -1 and -2. A "
        "certificate of the model as it acts is not there yet.",
        _weak(),
    )


def _weak() -> str:
    return (
        "The return on the classes is weak evidence, since a greedy player meets few observations. An independent "
        "check counted 16 of 96 for memory-dt, in 11 of its 39 classes; it loses nothing where all the others are "
        "merged, either, and loses return in 25% of draws of other representatives."
    )
