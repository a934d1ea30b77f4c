"""Certificates become tables: what was tried inside their classes, and what a player earns on them."""

from collections.abc import Iterator, Mapping

import torch
from tables import interval, share, table, written

from dtinterp.equivalence.behaviour.quotient_rollouts import INTACT, QuotientRollout
from dtinterp.equivalence.classes.scrutiny import Scrutiny
from dtinterp.equivalence.classes.verification import MATES, Arm
from dtinterp.equivalence.report import EquivalenceReport

Certificates = Mapping[str, EquivalenceReport]
MODELS = ("trained", "untrained")
BISIMULATION = "ARI with bisimulation"
EXCHANGES = ("interchangeable", "random, of these sizes", "untrained, as many")


def certificates(found: Certificates) -> str:
    """Return how classes were formed and refined, and how they and their controls fared in unused contexts."""
    head = (
        "model",
        "classes formed → refined",
        "counterexamples, of swaps",
        "the worst, bits",
        "unused contexts in which class-mates go beyond ε",
        "the worst, bits",
        "norm-matched",
        "other classes",
        "class-mates, untrained model",
        "ARI between halves of the contexts",
    )
    return table(head, ([name, *_scrutinised(_tested(report))] for name, report in found.items()))


def _scrutinised(tested: Scrutiny) -> list[str]:
    trained, untrained = ({arm.stand_in: arm for arm in tested.arms if arm.model == name} for name in MODELS)
    n_found, n_tried = (sum(getattr(each, name) for each in tested.rounds) for name in ("n_counterexamples", "n_swaps"))
    n_failures, n_contexts = (
        sum(getattr(each, name) for each in tested.bounds) for name in ("n_failures", "n_contexts")
    )
    return [
        f"{tested.formed.n_classes} → {tested.rounds[-1].n_classes}",
        f"{n_found} of {n_tried:,}",
        written(max((swap.divergence for swap in tested.counterexamples), default=0.0), 2),
        f"{n_failures} of {n_contexts}: {share(trained[MATES].share, digits=1)}",
        written(max(bound.maximum for bound in tested.bounds), 2),
        *(_failing(trained[name]) for name in ("norm-matched", "other classes")),
        _failing(untrained[MATES]),
        "" if tested.stability is None else interval(tested.stability),
    ]


def _failing(arm: Arm) -> str:
    return f"{arm.share.estimate:.1%}"


def reachable(found: Certificates) -> str:
    """Return how many swaps could truly have happened, and what came of those inside a class."""
    head = ("model", "swaps", "that could truly have happened", "of these inside a class", "the worst of those, bits")
    return table(head, ([name, *_reached(report)] for name, report in found.items()))


def starts(found: Certificates) -> str:
    """Return what became of the observations that could truly stand for each other."""
    head = ("model", "observations", "classes", "most apart inside one, bits", "least apart across, bits", BISIMULATION)
    return table(head, ([name, *_told_apart(report)] for name, report in found.items()))


def plays(found: Certificates) -> str:
    """Return the classes of what the first steps of every play show, and in how many they are exact."""
    head = (
        "model",
        "observations",
        "contexts tried",
        "classes formed → refined",
        "of two or more, exact",
        "most of the contexts of any in which it fails",
        "the worst inside one, bits",
        BISIMULATION,
    )
    return table(head, ([name, *_enumerated(report)] for name, report in found.items()))


def _told_apart(report: EquivalenceReport) -> list[str]:
    label, apart = report.partition.label, report.relation.maximum
    is_same = label[:, None] == label
    inside, across = apart[is_same].max(), apart[~is_same].min()
    sizes = (len(label), report.partition.n_classes)
    return [*map(str, sizes), written(float(inside), 3), written(float(across), 3), _with_bisimulation(report)]


def _enumerated(report: EquivalenceReport) -> list[str]:
    tested = _tested(report)
    n_exact = sum(bound.is_exact for bound in tested.bounds)
    return [
        str(len(report.partition.label)),
        f"{report.n_contexts + sum(each.n_contexts for each in tested.rounds):,}",
        f"{tested.formed.n_classes} → {report.partition.n_classes}",
        f"{n_exact} of {len(tested.bounds)}",
        f"{max(bound.share.estimate for bound in tested.bounds if bound.share is not None):.0%}",
        written(max(total.maximum for total in report.totals), 3),
        _with_bisimulation(report),
    ]


def _with_bisimulation(report: EquivalenceReport) -> str:
    (found,) = (each.trained for each in report.comparisons if each.world == "reward bisimulation")
    return interval(found.ari)


def _reached(report: EquivalenceReport) -> list[str]:
    reach, label = _tested(report).reachable, report.partition.label
    assert reach is not None, "the states of this world are known"
    n_contexts = reach.n_contexts.clone().fill_diagonal_(0)  # a frame is no stand-in for itself
    inside = (label[:, None] == label) & (n_contexts > 0)
    worst = torch.where(inside, reach.maximum, 0.0).max()
    counts = (report.n_swaps, int(n_contexts.sum()), int(n_contexts[inside].sum()))
    return [*(f"{count:,}" for count in counts), written(float(worst), 3) if inside.any() else ""]


def acting(found: Certificates) -> str:
    """Return what each model earns, greedily and exactly, when it is shown one observation for each class."""
    head = (
        "model",
        "classes",
        "return on them",
        "on random classes of the same sizes",
        "on as many classes of an untrained model",
        "fewest classes that lose nothing",
    )

    def rows() -> Iterator[list[str]]:
        for name, report in found.items():
            behaviour = report.behaviour
            own, other = behaviour.classes, behaviour.untrained_classes
            earned = f"{own.earned.expected_return:.3f} of {behaviour.intact.expected_return:.3f}"
            cells = [earned, interval(own.random_return, digits=3), f"{other.earned.expected_return:.3f}"]
            yield [name, str(own.n_classes), *cells, str(behaviour.fewest.n_classes)]

    return table(head, rows())


def drawn(found: Certificates) -> str | None:
    """Return what model and agent earn on the classes when they draw their actions; None where some did not play."""
    if not all(report.acted for report in found.values()):
        return None
    head = (
        "classes of",
        "player",
        "return intact",
        "on the classes, change",
        "on random ones of the same sizes, change",
        "on as many of an untrained model, change",
    )
    rows = (
        [name, player, *_changes([each for each in report.acted if each.player == player])]
        for name, report in found.items()
        for player in dict.fromkeys(each.player for each in report.acted)
    )
    return table(head, rows, n_words=2)


def _changes(acted: list[QuotientRollout]) -> list[str]:
    played = {each.shown: each.played for each in acted}
    changes = (interval(played[name].change, digits=3) for name in EXCHANGES)
    return [f"{played[INTACT].mean_return.estimate:.3f}", *changes]


def _tested(report: EquivalenceReport) -> Scrutiny:
    assert report.scrutiny is not None, "this certificate was made before classes were put to the test"
    return report.scrutiny
