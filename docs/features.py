"""Labels, truth and comparisons of the studies that ship become the tables of docs/features.md.

python docs/features.py
"""

from pathlib import Path

from markers import with_table
from side_by_side_tables import compared
from tables import share

from dtinterp.features.labels.storage import load_labels
from dtinterp.features.labels.table import LabelSummary, summary_of
from dtinterp.features.truth.assessment import DetectionSummary
from dtinterp.features.truth.assessment import summary_of as summary_of_truth
from dtinterp.features.truth.storage import load_truth

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "features.md"
CHECKPOINTS = ROOT / "checkpoints"
OURS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2")
STUDIES = (*(CHECKPOINTS / "studies" / model for model in OURS), CHECKPOINTS / "comparisons" / "published")
SITES = ("hook_obs_embed", "blocks.1.hook_resid_pre")
LABELS = (
    "| model, site | dictionary | good label | none | too rare | dead | good, of judged | shuffled | untrained |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|\n"
)
TRUTH = (
    "| model, site | dictionary | items told (untrained) | F1 (shuffled, untrained) | facts told (untrained) | "
    "F1 (shuffled, untrained) | effective dimension: coordinates, features | per row |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|\n"
)


def page() -> str:
    """Return docs/features.md with all tables."""
    tables = {
        "labels": LABELS + "".join(_labelled(path) for path in _folders("labels")),
        "truth": TRUTH + "".join(_told(path) for path in _folders("truth")),
        **compared(STUDIES),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = with_table(text, name, "features.py", table)
    return text


def _folders(kind: str) -> list[Path]:
    found = [study / kind / site for study in STUDIES for site in SITES]
    return [path for folder in found if folder.exists() for path in sorted(folder.iterdir())]


def _labelled(path: Path) -> str:
    study = load_labels(path)
    found: LabelSummary = summary_of(study.labels)
    counts = " | ".join(str(number) for number in found.n_features.values())
    shares = " | ".join(share(each) for each in (found.share, found.shuffled_share, study.untrained.share))
    return f"| {_where(path)} | {path.name} | {counts} | {shares} |\n"


def _told(path: Path) -> str:
    study = load_truth(path)
    own, control = summary_of_truth(study.report), study.untrained
    assert control is not None, f"{path} was made before there was a control"
    told = " | ".join(_side(each, other) for each, other in ((own.items, control.items), (own.facts, control.facts)))
    size = own.dimension
    return (
        f"| {_where(path)} | {path.name} | {told} | {size.coordinates:.1f}, {size.features:.1f} | "
        f"{size.coordinates_per_row:.1f}, {size.features_per_row:.1f} |\n"
    )


def _side(own: DetectionSummary, control: DetectionSummary) -> str:
    return (
        f"{own.coverage:.0%} of {own.n} ({control.coverage:.0%}) | "
        f"{own.mean_f1:.2f} ({own.mean_f1_shuffled:.2f}, {control.mean_f1:.2f})"
    )


def _where(path: Path) -> str:
    return f"{path.parents[2].name}, `{path.parent.name}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
