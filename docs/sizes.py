"""The trials of experiments/model-sizes become the tables of its page.

python docs/sizes.py
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from markers import with_table
from tables import interval, table

from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.statistics import Interval
from dtinterp.model.training.sizes import Scores, Size, Tried, sizes_of
from dtinterp.model.training.sweep import Trial

FOLDER = Path(__file__).parents[1] / "experiments" / "model-sizes"
PAGE = FOLDER / "README.md"
GRID = ("result.csv", "deeper.csv", "wider.csv")
SLOWER = ("slower.csv",)
FOUND = 0.9
"""Success from which a model has found the rule; without it half the episodes succeed."""


def page() -> str:
    """Return experiments/model-sizes/README.md with its tables."""
    text = PAGE.read_text(encoding="utf-8")
    for name, files in {"sizes": GRID, "a slower rate": SLOWER}.items():
        text = with_table(text, name, "sizes.py", _sizes(tried(files)))
    return text


def tried(files: Sequence[str] = GRID) -> list[Tried]:
    """Return every trial of some tables in the folder, by seed."""
    texts = [(FOLDER / file).read_text(encoding="utf-8") for file in files]
    rows = [row for text in texts for row in csv.DictReader(text.splitlines())]
    return sorted(map(_tried, rows), key=lambda each: each.trial.seed)


def _tried(row: dict[str, str]) -> Tried:
    trial = Trial(int(row["d_model"]), int(row["n_layers"]), int(row["seed"]))
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


def _sizes(trials: Sequence[Tried]) -> str:
    head = ("width", "layers", "parameters", "held-out loss, nats", "seeds that found the rule", "success by seed")

    def rows() -> Iterator[list[str]]:
        for size in sorted(sizes_of(trials), key=lambda size: (size.d_model, size.n_layers)):
            successes = _successes(trials, size)
            yield [
                str(size.d_model),
                str(size.n_layers),
                f"{size.n_parameters:,}",
                interval(size.loss, digits=3) if size.loss.n > 1 else f"{size.loss.estimate:.3f}",
                f"{sum(success >= FOUND for success in successes)} of {len(successes)}",
                ", ".join(f"{100 * success:.3g}%" for success in successes),
            ]

    return table(head, rows(), n_words=2)


def _successes(trials: Sequence[Tried], size: Size) -> list[float]:
    return [
        each.outcome.success.estimate
        for each in trials
        if isinstance(each.outcome, Scores)
        and (each.trial.d_model, each.trial.n_layers) == (size.d_model, size.n_layers)
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
