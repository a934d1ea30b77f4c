"""Screenings, and what they cost, become tables."""

from collections.abc import Callable, Iterator, Mapping

from tables import interval, share, table, written

from dtinterp.equivalence.classes.screen_verification import Assay
from dtinterp.equivalence.classes.verification import MATES, Arm
from dtinterp.equivalence.screen import Screening
from dtinterp.equivalence.truth.screened_agreement import ScreenedAgreement
from dtinterp.foundation.statistics import Interval

MATTERS = "reward bisimulation"


def screening(found: Mapping[str, Screening], measured: Mapping[str, dict]) -> str:
    """Return what came of sorting all observations of a world, by model; `measured` is what it cost, where it was."""
    rows: dict[str, Callable[[Screening], str]] = {
        "observations": lambda each: f"{len(each.chosen.frame_id):,}",
        "pairs compared, of all": lambda each: f"{each.n_looked_at:,} of {each.n_pairs:,}",
        "classes": lambda each: f"{each.partition.n_classes:,}",
        "counterexamples, first round → last": lambda each: " → ".join(
            f"{one.n_counterexamples / one.n_swaps:.1%}" for one in (each.rounds[0], each.rounds[-1])
        ),
        "unused contexts in which a class-mate goes beyond ε": lambda each: share(_arm(each, MATES).share, digits=1),
        "in which a made-up embedding does": lambda each: f"{_arm(each, 'norm-matched').share.estimate:.1%}",
        "in which an observation of another class does": lambda each: (
            f"{_arm(each, 'other classes').share.estimate:.1%}"
        ),
        "in which a class-mate does, untrained model": lambda each: (
            f"{_arm(each, MATES, model='untrained').share.estimate:.1%}"
        ),
        "those contexts": lambda each: f"{_arm(each, MATES).n_contexts:,}",
        "classes of two or more that failed somewhere": lambda each: _failed(_assay(each)),
        "the worst of these failures, bits": lambda each: written(max(one.maximum for one in _assay(each).bounds), 2),
        "agreement with bisimulation: ARI": _likeness,
        "return on the classes, of that intact": lambda each: (
            f"{_standing(each).quotients[0].earned.expected_return:.3f} of {_standing(each).intact.expected_return:.3f}"
        ),
        "on random classes of the same sizes": lambda each: interval(
            _standing(each).quotients[0].random_return, digits=3
        ),
    }
    told = [[name, *(row(each) for each in found.values())] for name, row in rows.items()]
    costs = [measured.get(model) for model in found]
    told.append(["processor seconds", *("" if each is None else f"{each['seconds']:.0f}" for each in costs)])
    told.append(["peak memory, MB", *("" if each is None else f"{each['peak MB']:,.0f}" for each in costs)])
    return table(["", *found], told)


def growth(measured: Mapping[str, dict]) -> str:
    """Return what it costs to sort more and more observations, world by world."""
    head = (
        "world",
        "observations",
        "processor seconds",
        "pairs compared, of all",
        "classes",
        "unused contexts that fail",
        "peak memory so far, MB",
        "exponent of the seconds",
    )
    worlds = [measured["growth"], *measured.get("other worlds", ())]
    return table(head, (row for world in worlds for row in _grown(world)))


def _grown(world: dict) -> Iterator[list[str]]:
    for row in world["rows"]:
        is_last = row is world["rows"][-1] and "exponent" in world
        yield [
            world["world"].removeprefix("MiniGrid-"),
            f"{row['frames']:,}",
            f"{row['seconds']:.1f}",
            f"{row['looked at'] / row['pairs']:.1%}",
            f"{row['classes']:,}",
            "" if row["failures"] is None else _count(Interval(**row["failures"])),
            f"{row['peak MB so far']:,.0f}",
            f"{world['exponent']:.2f}" if is_last else "",
        ]


def _count(found: Interval) -> str:
    return f"{round(found.estimate * found.n)} of {found.n:,}"


def _arm(each: Screening, stand_in: str, *, model: str = "trained") -> Arm:
    return next(arm for arm in _assay(each).arms if (arm.model, arm.stand_in) == (model, stand_in))


def _failed(found: Assay) -> str:
    return f"{sum(one.n_failures > 0 for one in found.bounds)} of {len(found.bounds)}"


def _likeness(each: Screening) -> str:
    return interval(next(one.agreement.ari for one in _standing(each).likenesses if one.world == MATTERS))


def _assay(each: Screening) -> Assay:
    assert each.assay is not None, "classes were tried in no unused contexts"
    return each.assay


def _standing(each: Screening) -> ScreenedAgreement:
    assert each.standing is not None, "the states of this world are known"
    return each.standing
