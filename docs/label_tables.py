"""Labels that ship become a table of how many features of each model have one, beside its untrained twin's."""

from collections.abc import Iterator
from pathlib import Path

from dictionary_families import SITES
from tables import table

from dtinterp.features.labels.storage import load_labels
from dtinterp.features.labels.table import VERDICTS, LabelSummary, summary_of

NAME = "topk-128-k8"
"""The dictionary that ships with labels for every model."""


def labels(checkpoints: Path) -> str:
    """Return shares of the features and the median F1 of their labels, each with that of the untrained twin."""
    head = ("model", "site", *VERDICTS, "median F1", "good, features shuffled")
    return table(head, _rows(checkpoints), n_words=2)


def _rows(checkpoints: Path) -> Iterator[list[str]]:
    for study in (*sorted((checkpoints / "studies").iterdir()), checkpoints / "comparisons" / "published"):
        for site, title in SITES.items():
            folder = study / "labels" / site / NAME
            if folder.exists():
                found = load_labels(folder)
                yield [study.name, title, *_cells(summary_of(found.labels), found.untrained)]


def _cells(own: LabelSummary, control: LabelSummary) -> list[str]:
    shares = [f"{_share(own, verdict):.0%} ({_share(control, verdict):.0%})" for verdict in VERDICTS]
    shuffled = f"{own.shuffled_share.estimate:.0%} ({control.shuffled_share.estimate:.0%})"
    return [*shares, f"{own.median_f1:.2f} ({control.median_f1:.2f})", shuffled]


def _share(found: LabelSummary, verdict: str) -> float:
    return found.n_features[verdict] / sum(found.n_features.values())
