"""The published experiments on the instruction, on our models and on the published one."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from tables.cells import written
from tables.shelf import PUBLISHED, measured

IMPORTED = "memory-gated-mlp"
"""The folder into which the published model is imported."""


def decoys() -> pd.DataFrame:
    """Share of the flipped instruction's effect that decoys restore, in the four configurations.

    The object that is not the instruction is added to the first frame. 1: the turn is as with the other instruction;
    0: as without decoys. `python benchmarks/published_experiments.py`.
    """
    return pd.DataFrame(
        {"model": called(row), **{f"decoys at {cells}": _listed(found, 2) for cells, found in row["restored"].items()}}
        for row in _rows()
    )


def exchanged_targets() -> pd.DataFrame:
    """Logit(left) − logit(right) in the four configurations when the targets change places in one frame.

    `python benchmarks/published_experiments.py`.
    """
    return pd.DataFrame(
        {
            "model": called(row),
            "untouched": _listed(row["original"], 1),
            **{f"in the {frame} frame": _listed(found, 1) for frame, found in row["exchanged"].items()},
            "turned by the first, by the last": " and ".join(
                f"{_turned(row['original'], found)} of 4" for found in row["exchanged"].values()
            ),
        }
        for row in _rows()
    )


def item_geometry() -> pd.DataFrame:
    """Principal components of eight item embeddings at length 1, and median norms of item embeddings.

    Instruction: key and ball at (4,2), (4,3), (0,5), (2,6). Targets: at (1,2), (5,2), (1,6), (5,6). *Parted*: whether
    every key lies above every ball along the first component. `python benchmarks/published_experiments.py`.
    """
    return pd.DataFrame(
        {
            "model": called(row),
            "instruction, % of variance": _listed([100 * share for share in row["share"]["instruction"]], 1),
            "parted": "yes" if row["separates"] else "no",
            "targets, % of variance": _listed([100 * share for share in row["share"]["targets"]], 1),
            "norm of keys": written(row["norm"]["key"], 2),
            "norm of balls": written(row["norm"]["ball"], 2),
            "of items never shown": written(row["norm of items never shown"], 2),
        }
        for row in _rows()
    )


def _rows() -> Iterator[Mapping]:
    return iter(measured("published_experiments")["rows"])


def called(row: Mapping) -> str:
    """Return the name of a row's model."""
    return PUBLISHED if row["model"] == IMPORTED else row["model"]


def _listed(values: Sequence[float], digits: int) -> str:
    return " ".join(written(value, digits) for value in values)


def _turned(original: Sequence[float], edited: Sequence[float]) -> int:
    return sum(before * after < 0 for before, after in zip(original, edited, strict=True))
