"""Models that ship: calibrations, held-out loss and the instruction flip; and models of many sizes."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby

import pandas as pd

from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.returns.calibration import CALIBRATION, Calibration, CalibrationPoint
from dtinterp.model.breakdown import BUCKETS, VALIDATION, Breakdown, Prediction
from dtinterp.model.training.sizes import Scores, Tried, sizes_of
from dtinterp.model.training.sweep import SweepTrial
from tables.cells import interval, share, side_by_side, written
from tables.shelf import OURS, ROOT, STUDIES, measured

OF_SEVERAL = "memory-door-dt"
GREEDY, DRAWN = "greedy", "temperature=1"
ACTING = {GREEDY: "acting greedily", DRAWN: "actions drawn"}
TRIALS = ROOT / "experiments" / "model-sizes"
GRID = ("result.csv", "deeper.csv", "wider.csv")
SLOWER = ("slower.csv",)
FOUND = 0.9
"""Success from which a model has found the rule; without it half the episodes succeed."""
RIVALS: Mapping[str, str] = {
    "item_span": "span of key and ball items",
    "item_span_without_direction": "that span, orthogonal to f",
    "difference_of_means": "difference of means of items",
    "difference_of_first_frames": "difference of mean first frames",
}


def greedy_calibrations() -> pd.DataFrame:
    """Return achieved acting greedily, over the return asked for.

    Each model is asked for the returns that a sampler of its demonstrations achieved, in five groups. Plain numbers
    are exact, or short of it by less than 0.001. The error is the mean distance of what is asked for and what is
    achieved.
    """
    return _calibrations_beside(GREEDY)


def drawn_calibrations() -> pd.DataFrame:
    """Return achieved drawing actions at temperature 1, over the return asked for.

    Plain numbers are exact, or short of it by less than 0.001; the others are of 2,000 episodes, with 95% bootstrap
    intervals.
    """
    return _calibrations_beside(DRAWN)


def calibrations_in_several_worlds() -> pd.DataFrame:
    """Return and success in the three worlds of memory-door-dt, asked for what a sampler achieved there.

    Plain numbers are exact, or short of it by less than 0.001; the others are of 2,000 episodes, with 95% bootstrap
    intervals.
    """

    def rows() -> Iterator[dict[str, str]]:
        for demand, both in groupby(calibrations(OF_SEVERAL), key=lambda each: each.demand):
            ways = {each.acting: each.points for each in both}
            for greedy, drawn in zip(ways[GREEDY], ways[DRAWN], strict=True):
                asked = f"{greedy.target_return:g}, {_sampler(demand.sampler)}"
                acting = {"greedy": _earned(greedy), "actions drawn": _earned(drawn)}
                yield {"world": _world(demand.env_id), "asked for, as achieved at": asked, **acting}

    return pd.DataFrame(rows())


def errors_in_several_worlds() -> pd.DataFrame:
    """Mean distance of the return asked for and the return achieved by memory-door-dt."""
    errors: dict[str, dict[str, str]] = {}
    for each in calibrations(OF_SEVERAL):
        way = f"{_sampler(each.demand.sampler)}, {ACTING[each.acting]}"
        errors.setdefault(_world(each.demand.env_id), {})[way] = _computed(each.error)
    return side_by_side(errors, of="error")


def held_out() -> pd.DataFrame:
    """Loss in nats with its 95% bootstrap interval, and accuracy, of the next action on held-out demonstrations.

    Up to 4,096 windows, each counting with one action: at the newest slot unless the row names one. Slot 1 is real
    in windows without a pad, slot 5 in those of four pads or fewer.
    """

    def column(found: Breakdown) -> dict[str, str]:
        slots = {slot: found.by_slot[slot] for slot in ("slot 1", "slot 5")}
        returns = {f"return-to-go {bucket}": found.by_return[bucket] for bucket in BUCKETS}
        return {name: _predicted(each) for name, each in {"all": found.overall, **slots, **returns}.items()}

    return side_by_side({name: column(_breakdown(name)) for name in OURS}, of="windows")


def sizes() -> pd.DataFrame:
    """Held-out loss and success of models of many sizes after 3,500 steps at a learning rate of 2e-3.

    Trials of [experiments/model-sizes](../../experiments/model-sizes): loss over seeds with its 95% interval. A
    seed has found the rule where it succeeds in 90% of its episodes; without the rule half of them succeed.
    """
    return _sizes(tried(GRID))


def sizes_at_a_slower_rate() -> pd.DataFrame:
    """The same at a quarter of the learning rate, 5e-4, for two of the sizes."""
    return _sizes(tried(SLOWER))


def tried(files: Sequence[str] = GRID) -> list[Tried]:
    """Return every trial of some tables of experiments/model-sizes, by seed."""
    texts = [(TRIALS / file).read_text(encoding="utf-8") for file in files]
    rows = [row for text in texts for row in csv.DictReader(text.splitlines())]
    return sorted(map(_tried, rows), key=lambda each: each.trial.seed)


def instruction_flip() -> pd.DataFrame:
    """Episodes at temperature 1 that end at the other target when the first frame is set to the other instruction.

    *f* is the first principal component of eight key and ball items; random directions are moved as far as it would
    move. Of 20 of a span the mean, with a bootstrap interval over directions, and how many lead more than half;
    elsewhere Wilson's interval over 200 episodes. *Cosine*: of f and the difference of mean first frames by the left
    target. `python benchmarks/instruction_flip.py`.
    """
    return pd.DataFrame(_flips())


def _tried(row: dict[str, str]) -> Tried:
    trial = SweepTrial(int(row["d_model"]), int(row["n_layers"]), int(row["seed"]))
    if row["failed"]:
        return Tried(trial, Failed(row["failed"]))
    success, low, high = (float(row[name]) for name in ("success", "success_low", "success_high"))
    scores = Scores(
        n_parameters=int(row["n_parameters"]),
        loss=float(row["loss"]),
        accuracy=float(row["accuracy"]),
        success=Interval(success, low, high, int(row["n_episodes"])),
        seconds=float(row["seconds"]),
    )
    return Tried(trial, scores)


def _sizes(trials: Sequence[Tried]) -> pd.DataFrame:
    scores: dict[tuple[int, int], list[float]] = {}
    for each in trials:
        if isinstance(each.outcome, Scores):
            size = (each.trial.d_model, each.trial.n_layers)
            scores.setdefault(size, []).append(each.outcome.success.estimate)

    def rows() -> Iterator[dict[str, str]]:
        for size in sorted(sizes_of(trials), key=lambda size: (size.d_model, size.n_layers)):
            successes = scores.get((size.d_model, size.n_layers), [])
            loss = interval(size.loss, digits=3) if size.loss.n > 1 else f"{size.loss.estimate:.3f}"
            yield {
                "width": str(size.d_model),
                "layers": str(size.n_layers),
                "parameters": f"{size.n_parameters:,}",
                "held-out loss, nats": loss,
                "seeds that found the rule": f"{sum(each >= FOUND for each in successes)} of {len(successes)}",
                "success by seed": ", ".join(f"{100 * each:.3g}%" for each in successes),
            }

    return pd.DataFrame(rows())


@cache
def calibrations(model: str) -> list[Calibration]:
    """Return how a model achieves what it is asked for, by sampler and way of acting."""
    return list(load(STUDIES / model / "calibration", CALIBRATION).calibrations)


def _breakdown(model: str) -> Breakdown:
    return load(STUDIES / model / "validation", VALIDATION).validation


def _calibrations_beside(acting: str) -> pd.DataFrame:
    def column(model: str) -> Mapping[str, str]:
        cells: dict[str, str] = {}
        for each in calibrations(model):
            if each.acting == acting:
                sampler = _sampler(each.demand.sampler)
                cells |= {f"{point.target_return:g}, {sampler}": _return(point) for point in each.points}
                cells[f"*error, {sampler}*"] = f"*{_computed(each.error)}*"
        return cells

    return side_by_side({model: column(model) for model in OURS}, of="asked for, as achieved at")


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


def _flips() -> Iterator[dict[str, str]]:
    for row in measured("instruction_flip")["rows"]:
        loop = next(each for each in row["loops"] if each["sampler"] == "temperature=1")
        yield {
            "model": row["model"],
            "f": share(Interval(**loop["opposite"]["other_target"])),
            "f set to what is there": share(Interval(**loop["same"]["other_target"])),
            "whole sphere": share(Interval(**loop["control"]["other_target"]), digits=1),
            **{RIVALS[each["name"]]: _led(each) for each in row["rivals"]},
            "configurations that f turns": f"{row['n_turned']} of 4",
            "cosine": written(row["target_cosine"], 2),
            "refuted": "yes" if row["refuted_by"] else "no",
        }


def _led(rival: Mapping) -> str:
    found = next(each for each in rival["endings"] if each["sampler"] == "temperature=1")
    n_most = sum(each > 0.5 for each in found["by_direction"])
    several = f", {n_most} of {len(found['by_direction'])} more than half" if len(found["by_direction"]) > 1 else ""
    return f"{share(Interval(**found['other_target']))}{several}"
