"""An equivalence report becomes what it says for and against the model's classes following the world."""

from dataclasses import dataclass

from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.truth.agreement import WorldComparison

KEPT = 0.95
"""The share of its return that a model must still earn on its classes to be said to act as before."""


@dataclass(frozen=True)
class Standing:
    """How the trained model's agreement with one partition of the world stands against its controls."""

    comparison: WorldComparison
    beats_random: bool
    """its interval lies above the central 95% of random classes of the same sizes"""
    beats_untrained: bool
    """its interval lies above both untrained models' intervals"""

    @property
    def holds(self) -> bool:
        """Whether the model's classes may be said to follow this partition."""
        return self.beats_random and self.beats_untrained


def keeps_behaviour(report: EquivalenceReport) -> bool:
    """Return whether the model acts on its classes as on its observations, and on no control's classes so well."""
    behaviour = report.behaviour
    earned, intact = behaviour.classes.earned.expected_return, behaviour.intact.expected_return
    controls = (behaviour.untrained_classes.earned.expected_return, behaviour.classes.random_return.high)
    return earned >= KEPT * intact and earned > max(controls)


def standings(report: EquivalenceReport) -> tuple[Standing, ...]:
    """Return one standing per partition of the world, the best agreement first."""
    found = [_standing(comparison) for comparison in report.comparisons]
    return tuple(sorted(found, key=lambda each: -each.comparison.trained.ari.estimate))


def _standing(comparison: WorldComparison) -> Standing:
    trained = comparison.trained
    untrained = max(comparison.untrained.ari.high, comparison.untrained_at_epsilon.ari.high)
    return Standing(
        comparison=comparison,
        beats_random=trained.ari.low > trained.random.high,
        beats_untrained=trained.ari.low > untrained,
    )
