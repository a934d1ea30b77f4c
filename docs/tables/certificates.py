"""Certificates that ship: what was tried inside their classes, and the return on them."""

from collections.abc import Iterator
from functools import cache, partial

import pandas as pd
import torch

from dtinterp.equivalence.behaviour.quotient_rollouts import INTACT, QuotientRollout
from dtinterp.equivalence.classes.failure_bounds import MATES, Arm
from dtinterp.equivalence.classes.verification import Verification
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.codec import load
from tables.cells import interval, share, written
from tables.shelf import of_models

BISIMULATION = "ARI with bisimulation"
QUOTIENTS = {
    "interchangeable": "on the classes, change",
    "random, of these sizes": "on random ones of the same sizes, change",
    "untrained, as many": "on as many of an untrained model, change",
}


def certificates() -> pd.DataFrame:
    """How classes were formed and refined, and how they and controls fared in contexts that nothing was chosen by.

    Controls in the same contexts: embeddings made up at the distance of the class-mates, observations of other
    classes, and class-mates in an untrained model. *Published* was trained elsewhere; "held-out" is our split for
    it.
    """
    return pd.DataFrame({"model": name, **_verified(_tested(report))} for name, report in certified().items())


def four_starts() -> pd.DataFrame:
    """Classes of the observations that could truly stand for each other (`certify --only-reachable`)."""
    return pd.DataFrame(
        {"model": name, **_told_apart(report)}
        for name, report in of_models(partial(load, kind=EQUIVALENCE), "reachable").items()
    )


def all_plays_of_three_steps() -> pd.DataFrame:
    """Classes of what the first steps of every play show (`--contexts plays --horizon 3 --n-fresh 100000`)."""
    return pd.DataFrame(
        {"model": name, **_enumerated(report)}
        for name, report in of_models(partial(load, kind=EQUIVALENCE), "plays").items()
    )


def feasible_swaps() -> pd.DataFrame:
    """How many of the swaps that classes are formed from the world might truly have shown, and what came of them."""
    return pd.DataFrame({"model": name, **_reached(report)} for name, report in certified().items())


def return_on_classes() -> pd.DataFrame:
    """Expected return of each model, greedily and exactly from all starts, shown one observation for each class.

    Classes at ε = 0.05 of 96 observations; random ones: mean and central 95% of 10 draws. The cuts tried are 96,
    68, 48, 34, 24, 17, 12, 8, 6, 4, 3, 2 and 1.
    """

    def rows() -> Iterator[dict[str, str]]:
        for name, report in certified().items():
            behaviour = report.behaviour
            own, other = behaviour.classes, behaviour.untrained_classes
            yield {
                "model": name,
                "classes": str(own.n_classes),
                "return on them": f"{own.earned.expected_return:.3f} of {behaviour.intact.expected_return:.3f}",
                "on random classes of the same sizes": interval(own.random_return, digits=3),
                "on as many classes of an untrained model": f"{other.earned.expected_return:.3f}",
                "fewest classes that lose nothing": str(behaviour.fewest.n_classes),
            }

    return pd.DataFrame(rows())


def drawn_actions() -> pd.DataFrame:
    """Return of model and agent on the classes when they draw their actions at temperature 1.

    2,000 episodes, all from the same starts with the same random numbers; mean over pairs of episodes with its 95%
    bootstrap interval; one draw of random classes. `dtinterp certify --n-episodes 2000 --agent
    checkpoints/agents/memory-movable`.
    """
    return pd.DataFrame(
        {"classes of": name, "player": player, **_changes([each for each in report.acted if each.player == player])}
        for name, report in certified().items()
        for player in dict.fromkeys(each.player for each in report.acted)
    )


@cache
def certified() -> dict[str, EquivalenceReport]:
    """Return the certificate of each model."""
    return of_models(partial(load, kind=EQUIVALENCE), "equivalence")


def _verified(tested: Verification) -> dict[str, str]:
    trained, untrained = (
        {arm.stand_in: arm for arm in tested.arms if arm.model == name} for name in ("trained", "untrained")
    )
    n_found, n_tried = (sum(getattr(each, name) for each in tested.rounds) for name in ("n_counterexamples", "n_swaps"))
    n_failures, n_contexts = (
        sum(getattr(each, name) for each in tested.bounds) for name in ("n_failures", "n_contexts")
    )
    return {
        "classes formed → refined": f"{tested.formed.n_classes} → {tested.rounds[-1].n_classes}",
        "counterexamples, of swaps": f"{n_found} of {n_tried:,}",
        "the worst, bits": written(max((swap.divergence for swap in tested.counterexamples), default=0.0), 2),
        "unused contexts in which class-mates go beyond ε": f"{n_failures} of {n_contexts}: "
        + share(trained[MATES].share, digits=1),
        "the worst of these, bits": written(max(bound.maximum for bound in tested.bounds), 2),
        **{name: _failing(trained[name]) for name in ("norm-matched", "other classes")},
        "class-mates, untrained model": _failing(untrained[MATES]),
        "ARI between halves of the contexts": interval(tested.stability),
    }


def _failing(arm: Arm) -> str:
    return f"{arm.share.estimate:.1%}"


def _told_apart(report: EquivalenceReport) -> dict[str, str]:
    label, apart = report.partition.label, report.relation.maximum
    is_same = label[:, None] == label
    return {
        "observations": str(len(label)),
        "classes": str(report.partition.n_classes),
        "most apart inside one, bits": written(float(apart[is_same].max()), 3),
        "least apart across, bits": written(float(apart[~is_same].min()), 3),
        BISIMULATION: _with_bisimulation(report),
    }


def _enumerated(report: EquivalenceReport) -> dict[str, str]:
    tested = _tested(report)
    n_exact = sum(bound.is_exact for bound in tested.bounds)
    most = max(bound.share.estimate for bound in tested.bounds if bound.share is not None)
    return {
        "observations": str(len(report.partition.label)),
        "contexts tried": f"{report.n_contexts + sum(each.n_contexts for each in tested.rounds):,}",
        "classes formed → refined": f"{tested.formed.n_classes} → {report.partition.n_classes}",
        "of two or more, exact": f"{n_exact} of {len(tested.bounds)}",
        "most of the contexts of any in which it fails": f"{most:.0%}",
        "the worst inside one, bits": written(max(total.maximum for total in report.totals), 3),
        BISIMULATION: _with_bisimulation(report),
    }


def _with_bisimulation(report: EquivalenceReport) -> str:
    (found,) = (each.trained for each in report.comparisons if each.world == "reward bisimulation")
    return interval(found.ari)


def _reached(report: EquivalenceReport) -> dict[str, str]:
    reach, label = _tested(report).reachable, report.partition.label
    assert reach is not None, "the states of this world are known"
    n_contexts = reach.n_contexts.clone().fill_diagonal_(0)  # a frame is no stand-in for itself
    inside = (label[:, None] == label) & (n_contexts > 0)
    worst = torch.where(inside, reach.maximum, 0.0).max()
    return {
        "swaps": f"{report.n_swaps:,}",
        "that could truly have happened": f"{int(n_contexts.sum()):,}",
        "of these inside a class": f"{int(n_contexts[inside].sum()):,}",
        "the worst of those, bits": written(float(worst), 3) if inside.any() else "",
    }


def _changes(acted: list[QuotientRollout]) -> dict[str, str]:
    played = {each.shown: each.played for each in acted}
    changes = {head: interval(played[name].change, digits=3) for name, head in QUOTIENTS.items()}
    return {"return intact": f"{played[INTACT].mean_return.estimate:.3f}", **changes}


def _tested(report: EquivalenceReport) -> Verification:
    assert report.scrutiny is not None, "this certificate was made before classes were verified"
    return report.scrutiny
