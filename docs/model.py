"""Calibrations and validations that ship become the tables of docs/model.md.

python docs/model.py
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from markers import with_table
from pydantic import TypeAdapter
from tables import interval, table

from dtinterp.commands.models import validate
from dtinterp.commands.models.calibrate import KIND as CALIBRATION
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.statistics import Interval
from dtinterp.model.breakdown import BUCKETS, Breakdown, Prediction
from dtinterp.model.calibration import Calibration, CalibrationPoint

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "model.md"
STUDIES = ROOT / "checkpoints" / "studies"
OF_ONE_WORLD = ("memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-dt")
OF_SEVERAL = "memory-door-dt"
GREEDY, DRAWN = "greedy", "temperature=1"
ACTING = {GREEDY: "acting greedily", DRAWN: "actions drawn"}


def page() -> str:
    """Return docs/model.md with all tables."""
    text = PAGE.read_text(encoding="utf-8")
    for name, written in tables().items():
        text = with_table(text, name, "model.py", written)
    return text


def tables() -> dict[str, str]:
    """Return the tables by name."""
    several = _calibrations(OF_SEVERAL)
    models = {name: _calibrations(name) for name in OF_ONE_WORLD}
    return {
        "several worlds": _several_worlds(several),
        "errors in several worlds": _errors(several),
        "greedy calibrations": _side_by_side(models, GREEDY),
        "drawn calibrations": _side_by_side(models, DRAWN),
        "held out": _held_out({name: _breakdown(name) for name in OF_ONE_WORLD}),
    }


def _calibrations(model: str) -> list[Calibration]:
    artefact = read_artefact(STUDIES / model / "calibration", kind=CALIBRATION)
    return TypeAdapter(list[Calibration]).validate_python(artefact.manifest.metrics["calibrations"])


def _breakdown(model: str) -> Breakdown:
    artefact = read_artefact(STUDIES / model / "validation", kind=validate.KIND)
    return TypeAdapter(Breakdown).validate_python(artefact.manifest.metrics["validation"])


def _several_worlds(found: Sequence[Calibration]) -> str:
    def rows() -> Iterator[list[str]]:
        for demand, both in groupby(found, key=lambda each: each.demand):
            ways = {each.acting: each.points for each in both}
            for greedy, drawn in zip(ways[GREEDY], ways[DRAWN], strict=True):
                asked = f"{greedy.target_return:g}, {_sampler(demand.sampler)}"
                yield [_world(demand.env_id), asked, _earned(greedy), _earned(drawn)]

    return table(("world", "asked for, as achieved at", "greedy", "actions drawn"), rows(), n_words=4)


def _errors(found: Sequence[Calibration]) -> str:
    errors = {(each.demand.sampler, each.acting, each.demand.env_id): _computed(each.error) for each in found}
    worlds = list(dict.fromkeys(env_id for *_, env_id in errors))
    ways = dict.fromkeys((sampler, acting) for sampler, acting, _ in errors)
    rows = (
        [f"{_sampler(sampler)}, {ACTING[acting]}", *(errors[sampler, acting, world] for world in worlds)]
        for sampler, acting in ways
    )
    return table(("error", *map(_world, worlds)), rows)


def _side_by_side(models: Mapping[str, Sequence[Calibration]], acting: str) -> str:
    def rows() -> Iterator[list[str]]:
        chosen = [[each for each in found if each.acting == acting] for found in models.values()]
        for beside in zip(*chosen, strict=True):
            sampler = _sampler(beside[0].demand.sampler)
            for points in zip(*(each.points for each in beside), strict=True):
                yield [f"{points[0].target_return:g}, {sampler}", *map(_return, points)]
            yield [f"*error, {sampler}*", *(f"*{_computed(each.error)}*" for each in beside)]

    return table(("asked for, as achieved at", *models), rows())


def _held_out(models: Mapping[str, Breakdown]) -> str:
    def rows() -> Iterator[list[str]]:
        yield ["all", *(_predicted(each.overall) for each in models.values())]
        for slot in ("slot 1", "slot 5"):
            yield [slot, *(_predicted(each.by_slot[slot]) for each in models.values())]
        for bucket in BUCKETS:
            yield [f"return-to-go {bucket}", *(_predicted(each.by_return[bucket]) for each in models.values())]

    return table(("windows", *models), rows())


def _predicted(found: Prediction) -> str:
    return f"{interval(found.loss, digits=3)}, {found.accuracy.estimate:.1%}"


def _return(point: CalibrationPoint) -> str:
    return _computed(point.evaluation.mean_return)


def _earned(point: CalibrationPoint) -> str:
    return f"{_return(point)}, {point.evaluation.success.estimate:.0%}"


def _computed(found: Interval) -> str:
    """Write what was computed as a plain number, and with its interval what was measured in episodes."""
    return interval(found, digits=3) if found.n else f"{found.estimate:.3f}"


def _world(env_id: str) -> str:
    return env_id.removeprefix("MiniGrid-").removesuffix("-v0")


def _sampler(name: str) -> str:
    return name.replace("=", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
