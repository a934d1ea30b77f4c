"""Where the artefacts lie that ship, by model."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[2]
CHECKPOINTS = ROOT / "checkpoints"
STUDIES, COMPARISONS = CHECKPOINTS / "studies", CHECKPOINTS / "comparisons"
SMALL, LARGEST, PUBLISHED = "memory-dt-small-0", "memory-dt", "published"
OURS = (SMALL, "memory-dt-small-1", "memory-dt-small-2", LARGEST)
"""Our models of the movable world."""
MODELS = {name: STUDIES / name for name in OURS} | {PUBLISHED: COMPARISONS / PUBLISHED}
"""Folders of what was found out about each; the models themselves are not read, and need not be there."""
SITES = {"hook_obs_embed": "embedding", "blocks.1.hook_resid_pre": "layer 1"}

FoundT = TypeVar("FoundT")


def of_models(load: Callable[[Path], FoundT], folder: str) -> dict[str, FoundT]:
    """Return what `folder` of each model's study holds; models without it are left out."""
    return {name: load(path / folder) for name, path in MODELS.items() if (path / folder).exists()}


def of_dictionaries(kind: str) -> Iterator[tuple[str, str, Path]]:
    """Yield model, site and folder of everything of a kind that a study holds for each of its dictionaries."""
    for model, study in MODELS.items():
        for site in SITES:
            yield from ((model, site, path) for path in sorted((study / kind / site).glob("*/")))


def measured(name: str) -> dict:
    """Return what a benchmark wrote to benchmarks/results."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
