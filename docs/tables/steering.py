"""Sending the agent elsewhere, ways to edit one fact, and whether directions act by what rows vary in."""

from collections.abc import Iterator, Mapping

import pandas as pd

from dtinterp.foundation.statistics import Interval
from tables.cells import share, written
from tables.interventions import called
from tables.shelf import measured


def retargeting() -> pd.DataFrame:
    """Share of 200 episodes at temperature 1 that end at the target that the instruction does not name.

    In brackets, Wilson's intervals; then the share that still ends at the instructed target where that is the chosen
    one. All vectors that are added go as far as the difference of mean first frames parts the two instructions. Of ten
    random vectors all episodes together, as if independent, and how many vectors send more than half.
    `python benchmarks/retargeting.py`.
    """
    names = [arm["arm"] for arm in measured("retargeting")["rows"][0]["arms"] if arm["arm"] != "intact"]

    def rows() -> Iterator[dict[str, str]]:
        for row in measured("retargeting")["rows"]:
            arms = {arm["arm"]: arm for arm in row["arms"]}
            yield {"model": called(row), **{name: _sent(arms[name]) for name in names}}

    return pd.DataFrame(rows())


def where_retargeting_fails() -> pd.DataFrame:
    """Share sent to the other target by start, of handles that do not always send it there.

    The instruction, then the target on the left. `python benchmarks/retargeting.py`.
    """

    def rows() -> Iterator[dict[str, str]]:
        for row in measured("retargeting")["rows"]:
            for arm in row["arms"]:
                is_handle = not arm["arm"].startswith(("intact", "random"))
                if is_handle and arm["reached"]["estimate"] < 0.95:
                    by_start = {name: f"{found['estimate']:.0%}" for name, found in arm["by_start"].items()}
                    yield {
                        "model": called(row),
                        "handle": arm["arm"],
                        **by_start,
                        "episodes that time out": f"{arm['timeout']['estimate']:.0%}",
                    }

    return pd.DataFrame(rows())


def data_span() -> pd.DataFrame:
    """Share of the other instruction's effect on the turn when one direction of the first frame's token is exchanged.

    *In the span*: the share of the direction's squared length that lies in what first frames vary in; then what the
    whole direction does; its part in the span and its part outside, which no frame ever moves, each moved as far as it
    moves with the whole; and the part in the span as a direction of its own. Accuracy is of reading the instruction off
    held-out rows. `python benchmarks/directions.py`.
    """
    return pd.DataFrame(
        {
            "model": called(row),
            "direction": each["name"],
            "in the span": f"{each['share']:.0%}",
            "whole": written(each["restored"], 2),
            "part in the span": written(each["within"], 2),
            "part outside": written(each["beyond"], 2),
            "part in the span, at length 1": written(each["within_alone"], 2),
            "windows turned": share(Interval(**each["turned"])),
            "by the part in the span": f"{each['turned_within']['estimate']:.0%}",
            "reads held-out rows": _accuracy(each["explains"]),
        }
        for row in measured("directions")["rows"]
        for each in row["shares"]
    )


def das() -> pd.DataFrame:
    """Interchange accuracy of one dimension learned by DAS, at the first frame's token, beside its controls.

    On pairs of windows that were not fitted and whose decision the exchange changes; the most likely of all seven
    actions must be the one that is decided then. `python benchmarks/directions.py`.
    """

    def rows() -> Iterator[dict[str, str]]:
        for row in measured("directions")["rows"]:
            found = next(each["explains"] for each in row["shares"] if each["name"] == "DAS")
            named = {name.removeprefix("accuracy, "): value for name, value in found.items() if "accuracy" in name}
            yield {
                "model": called(row),
                "DAS": written(named.pop("accuracy"), 2),
                **{name: written(value, 2) for name, value in named.items()},
                "pairs": f"{found['judged pairs']:.0f}",
            }

    return pd.DataFrame(rows())


def ways_to_edit() -> pd.DataFrame:
    """Exchanging the instruction in the first frame's embedding: what each way does, and what else it changes.

    *Restored*: share of the other instruction's effect on the turn. *Other codes*: mean number of other features of the
    dictionary (TopK-8, 128) whose code changes. *Targets*: how much what is read of the targets moves, where exchanging
    these would move it by 1. *On the way*: mean KL divergence of the action, in bits, in windows where going forward is
    right. `python benchmarks/directions.py`.
    """
    return pd.DataFrame(
        {
            "model": called(row),
            "way": each["name"],
            "moved": written(each["moved"], 1),
            "restored": written(each["restored"], 2),
            "windows turned": share(Interval(**each["turned"])),
            "other codes": written(each["other_codes"], 1),
            "targets": written(each["other_fact"], 2),
            "on the way": written(each["elsewhere"], 3),
        }
        for row in measured("directions")["rows"]
        for each in row["ways"]
    )


def _sent(arm: Mapping) -> str:
    reached = share(Interval(**arm["reached"]))
    if arm["by_draw"]:
        return f"{reached}, {sum(each > 0.5 for each in arm['by_draw'])} of {len(arm['by_draw'])} more than half"
    return f"{reached}, keeps {arm['kept']['estimate']:.0%}"


def _accuracy(explains: Mapping[str, float]) -> str:
    return written(explains["held-out accuracy"], 2) if "held-out accuracy" in explains else ""
