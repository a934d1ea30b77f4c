"""The head of the page: what was asked, and the answer in numbers."""

from collections.abc import Mapping

from dtinterp.equivalence.behaviour.after_random import CLASSES, RANDOM
from dtinterp.equivalence.classes.joint_refinement import MEMBERS
from dtinterp.equivalence.classes.joint_refinement import RANDOM as RANDOM_MEMBERS
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.rendering import caveats
from dtinterp.report.results import StudyResults


def opening(results: StudyResults) -> Mapping[str, object]:
    """Return what the head's template is given beside the study."""
    report = results.equivalence.value
    best = report.ranked[0]
    jointly = {} if report.joint is None else {arm.shown: arm for arm in report.joint.arms}
    wandered = {} if report.wandering is None else {each.shown: each for each in report.wandering.played}
    return {
        "caveats": caveats(report),
        "calibrated": results.calibrated,
        "flip": results.first(InterventionReport),
        "worst": max(report.totals, key=lambda each: each.maximum),
        "n_alone": int((report.partition.sizes == 1).sum()),
        "n_flips": sum(certificate.n_flips for certificate in report.certificates),
        "n_inside": sum(certificate.n_swaps for certificate in report.certificates),
        "drawn": jointly.get(MEMBERS),
        "random": jointly.get(RANDOM_MEMBERS),
        "wandered": wandered.get(f"{CLASSES}, any members"),
        "astray": wandered.get(f"{RANDOM}, of these sizes"),
        "supported": [each for each in report.ranked if each.holds],
        "unsupported": [each for each in report.ranked if not each.holds],
        "best_control": max((best.untrained.ari, best.untrained_at_epsilon.ari), key=lambda ari: ari.high),
    }
