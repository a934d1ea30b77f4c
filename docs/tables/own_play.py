"""Certificates in the model's own play: how the classes fare, all observations replaced at once, and what they cost."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from dtinterp.equivalence.classes.failure_bounds import MATES
from dtinterp.equivalence.plays.joint import JOINT, JointReplacement
from dtinterp.foundation.artefacts.codec import load
from tables.cells import interval, share, written
from tables.certificates import certified
from tables.shelf import of_models


def classes() -> pd.DataFrame:
    """Classes of the greedy model asked for 0.892, in its own play after 0 to 12 random actions.

    They join nothing that the certificate of all plays of three steps keeps apart. Pairs are equivalent (in one
    class), different (some swap told them apart by more than ε), or undecided.
    """

    def rows() -> Iterator[dict[str, str]]:
        for name, report in certified().items():
            arms = {} if report.scrutiny is None else {(arm.model, arm.stand_in): arm for arm in report.scrutiny.arms}
            counted = None if report.luck is None else report.luck.count(report.config.epsilon)
            verdicts = report.verdicts
            yield {
                "model": name,
                "classes": str(report.partition.n_classes),
                "classes as formed, over draws of contexts": interval(counted, digits=0),
                "pairs equivalent": f"{verdicts.n_equivalent:,}",
                "different": f"{verdicts.n_different:,}",
                "undecided": f"{verdicts.n_undecided:,}",
                "unused contexts in which one class-mate goes beyond ε": share(arms["trained", MATES].share, digits=1),
                "observations of other classes": f"{arms['trained', 'other classes'].share.estimate:.1%}",
            }

    return pd.DataFrame(rows())


def joint() -> pd.DataFrame:
    """Histories that nothing was chosen by, every observation in them shown as a member of its class at once.

    Shares of all histories, Clopper–Pearson at 95%; the worst members are sought by a search from slot to slot.
    """
    return pd.DataFrame(
        {
            "model": name,
            "shown": arm.shown,
            "histories": f"{arm.n_histories:,}",
            "with anything replaced": f"{arm.n_replaced:,}",
            "decision beyond ε": share(arm.beyond, digits=2),
            "same greedy action": share(arm.kept, digits=1),
            "largest, bits": written(arm.maximum, 3),
        }
        for name, report in certified().items()
        if report.joint is not None
        for arm in report.joint.arms
    )


def abstraction() -> pd.DataFrame:
    """The classes as a causal abstraction: what representatives of all classes predict, when some are set to others.

    In 512 histories the class is set in one slot, or in all, and members of all classes are drawn. Error: mean
    divergence of the decision from that on representatives, with its bootstrap interval, and the share of histories
    where it is beyond ε. Effect: what the intervention did to the decision.
    """

    def rows() -> Iterator[dict[str, str]]:
        for name, report in certified().items():
            set_in = {
                (each.classes, each.set_in): each for each in report.abstraction if each.others == "drawn members"
            }
            for classes in dict.fromkeys(each for each, _ in set_in if each != "same image"):
                one, all_slots = (set_in[classes, where] for where in ("one slot", "every slot"))
                yield {
                    "model": name,
                    "classes": f"{classes} ({one.n_classes})",
                    "one slot: error, bits": interval(one.error, digits=4),
                    "beyond ε": share(one.beyond, digits=1),
                    "effect, bits": written(one.effect, 3),
                    "every slot: error, bits": interval(all_slots.error, digits=4),
                    "error beyond ε": share(all_slots.beyond, digits=1),
                    "effect": written(all_slots.effect, 3),
                }

    return pd.DataFrame(rows())


def after_random_actions() -> pd.DataFrame:
    """Return of greedy plays that begin with 0 to 12 random actions, asked for 0.892, other ones than classes saw.

    All from the same beginnings. Of 200 draws the mean with their central 95%; the change is paired by play.
    """
    return pd.DataFrame(
        {
            "model": name,
            "shown": each.shown,
            "classes": str(each.n_classes),
            "return": interval(each.mean_return, digits=3),
            "least": written(each.least_return, 3),
            "change": interval(each.change, digits=3),
            "plays with the same actions": f"{each.same_actions:.1%}",
        }
        for name, report in certified().items()
        if report.wandering is not None
        for each in report.wandering.played
    )


def all_plays() -> pd.DataFrame:
    """All plays of up to nine moves (left, right, forward), which fill the window: these classes, and rivals.

    Every start and every sequence of moves, asked for 0.892; members drawn at each slot anew, three times over.
    Returns are exact, greedy from the starts, over 20 choices of members.
    """
    found = of_models(partial(load, kind=JOINT), "all-plays")
    return pd.DataFrame(row for name, result in found.items() for row in _played(name, result))


def _played(name: str, found: JointReplacement) -> Iterator[dict[str, str]]:
    for partition, n_classes in {arm.partition: arm.n_classes for arm in found.arms}.items():
        shifts = [shift for arm in found.arms if arm.partition == partition for shift in arm.shifts]
        returns = [earned for arm in found.arms if arm.partition == partition for earned in arm.returns]
        n_beyond, n = (sum(getattr(shift, each) for shift in shifts) for each in ("n_beyond", "n_histories"))
        yield {
            "model": name,
            "shown": f"{partition} ({n_classes})",
            "histories": f"{found.n_histories:,}",
            "decisions beyond ε": f"{n_beyond:,} of {n:,}: {n_beyond / n:.3%}",
            "largest, bits": written(max(shift.maximum for shift in shifts), 3),
            "same greedy action": f"{sum(shift.agreement for shift in shifts) / len(shifts):.1%}",
            "return, mean": written(sum(returns) / len(returns), 3),
            "least": written(min(returns), 3),
        }
