"""Screenings of all observations of a world, and what they cost."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from dtinterp.equivalence.classes.failure_bounds import MATES, Arm
from dtinterp.equivalence.classes.verification import Verified
from dtinterp.equivalence.screen import SCREENING, Screening
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.statistics import Interval
from tables.cells import interval, share, side_by_side, written
from tables.shelf import measured, of_models

BISIMULATION = "reward bisimulation"


def all_observations() -> pd.DataFrame:
    """All 1,154 observations of the movable world in classes, by `dtinterp screen --contexts world`.

    CPU time is of one process with one thread, from start to end, by `python benchmarks/equivalence.py --parts
    world`; an empty cell was not measured.
    """
    costs = measured("equivalence")["world"]
    found = of_models(partial(load, kind=SCREENING), "screening")
    return side_by_side({model: _screened(each) | _cost(costs.get(model)) for model, each in found.items()})


def growth() -> pd.DataFrame:
    """What it costs to screen more and more observations, world by world (`python benchmarks/equivalence.py`).

    PutNear-8x8 is read by memory-dt-small-0, which was never trained there, the others by memory-door-dt. The
    exponent is that of a power law through the sizes of a world. PutNear was measured on a busy machine, the others
    on an idle one.
    """
    found = measured("equivalence")
    worlds = [found["growth"], *found.get("other worlds", ())]
    return pd.DataFrame(row for world in worlds for row in _grown(world))


def _screened(each: Screening) -> dict[str, str]:
    verified, standing = each.assay, each.standing
    assert verified is not None, "classes were verified in no unused contexts"
    assert standing is not None, "the states of this world are known"
    mates = _arm(verified, MATES)
    first, last = (f"{one.n_counterexamples / one.n_swaps:.1%}" for one in (each.rounds[0], each.rounds[-1]))
    own = standing.quotients[0]
    others = {
        "in which a made-up embedding does": _arm(verified, "norm-matched"),
        "in which an observation of another class does": _arm(verified, "other classes"),
        "in which a class-mate does, untrained model": _arm(verified, MATES, model="untrained"),
    }
    n_failed = sum(one.n_failures > 0 for one in verified.bounds)
    agreement = next(one.agreement.ari for one in standing.likenesses if one.world == BISIMULATION)
    return {
        "observations": f"{len(each.chosen.frame_id):,}",
        "pairs compared, of all": f"{each.n_looked_at:,} of {each.n_pairs:,}",
        "classes": f"{each.partition.n_classes:,}",
        "counterexamples, first round → last": f"{first} → {last}",
        "unused contexts in which a class-mate goes beyond ε": share(mates.share, digits=1),
        **{head: f"{arm.share.estimate:.1%}" for head, arm in others.items()},
        "those contexts": f"{mates.n_contexts:,}",
        "classes of two or more that failed somewhere": f"{n_failed} of {len(verified.bounds)}",
        "the worst of these failures, bits": written(max(one.maximum for one in verified.bounds), 2),
        "agreement with bisimulation: ARI": interval(agreement),
        "return on the classes, of that intact": f"{own.earned.expected_return:.3f} of "
        f"{standing.intact.expected_return:.3f}",
        "on random classes of the same sizes": interval(own.random_return, digits=3),
    }


def _cost(found: dict | None) -> dict[str, str]:
    return {
        "processor seconds": "" if found is None else f"{found['seconds']:.0f}",
        "peak memory, MB": "" if found is None else f"{found['peak MB']:,.0f}",
    }


def _arm(found: Verified, stand_in: str, *, model: str = "trained") -> Arm:
    return next(arm for arm in found.arms if (arm.model, arm.stand_in) == (model, stand_in))


def _grown(world: dict) -> Iterator[dict[str, str]]:
    for row in world["rows"]:
        is_last = row is world["rows"][-1] and "exponent" in world
        yield {
            "world": world["world"].removeprefix("MiniGrid-"),
            "observations": f"{row['frames']:,}",
            "processor seconds": f"{row['seconds']:.1f}",
            "pairs compared, of all": f"{row['looked at'] / row['pairs']:.1%}",
            "classes": f"{row['classes']:,}",
            "unused contexts that fail": "" if row["failures"] is None else _count(Interval(**row["failures"])),
            "peak memory so far, MB": f"{row['peak MB so far']:,.0f}",
            "exponent of the seconds": f"{world['exponent']:.2f}" if is_last else "",
        }


def _count(found: Interval) -> str:
    return f"{round(found.estimate * found.n)} of {found.n:,}"
