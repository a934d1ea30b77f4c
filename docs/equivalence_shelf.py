"""The artefacts about equivalence that ship become values, by model."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from dtinterp.equivalence.comparison_storage import load_comparison
from dtinterp.equivalence.explain.storage import ExplainedClasses, ExplainedPair, load_explained_classes, load_pair
from dtinterp.equivalence.model_comparison import ModelAgreement, ModelComparison, ModelContrasts, WorldAgreement
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.screen import Screening
from dtinterp.equivalence.screen_storage import load_screening
from dtinterp.equivalence.storage import load_equivalence

LARGEST, CONTROL = "memory-dt", "memory-dt-small-0"
OURS = (CONTROL, "memory-dt-small-1", "memory-dt-small-2", LARGEST)
PUBLISHED, IMPORTED = "published", "memory-gated-mlp"
"""The model that was trained elsewhere, and the folder into which it is imported, by which a comparison calls it."""
CERTIFIED, MATTERS = "interchangeable", "reward bisimulation"

FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class Shelf:
    """What was found out, by model: ours in the order of `OURS`, then the published one; what is not there is absent.

    Of the models themselves nothing is read, so the published one need not be there.
    """

    certificates: Mapping[str, EquivalenceReport]
    starts: Mapping[str, EquivalenceReport]
    """of those observations that could truly stand for each other"""
    plays: Mapping[str, EquivalenceReport]
    """of what the first steps of every play show"""
    comparison: ModelComparison
    screenings: Mapping[str, Screening]
    explanations: Mapping[str, ExplainedClasses]
    pairs: Mapping[str, Sequence[ExplainedPair]]
    measured: Mapping[str, dict]
    """what benchmarks/equivalence.py measured, by part"""
    beliefs: Sequence[dict]
    """what docs/beliefs.py enumerated, by the observations that are known"""

    @cached_property
    def portraits(self) -> Mapping[str, ModelContrasts]:
        """What distracts each model."""
        found = {_called(each.model): each for each in self.comparison.portraits}
        return {name: found[name] for name in (*OURS, PUBLISHED) if name in found}

    def against(self, model: str, relation: str) -> WorldAgreement | None:
        """Return how a relation of a model agrees with bisimulation; None where the two were not compared."""
        return next(
            (
                row
                for row in self.comparison.against
                if (_called(row.model), row.relation, row.world) == (model, relation, MATTERS)
            ),
            None,
        )

    def certified(self, model: str) -> WorldAgreement:
        """Return how the certified classes of a model agree with bisimulation."""
        found = self.against(model, CERTIFIED)
        assert found is not None, f"the comparison says nothing of {model}"
        return found

    def kinship(self, model: str, other: str) -> ModelAgreement:
        """Return how far the certified classes of two models agree, whichever was named first."""
        return next(row for row in self.comparison.kinships if kin(row) == {model, other})


def kin(row: ModelAgreement) -> set[str]:
    """Return the two models that agree so far."""
    return {_called(row.model), _called(row.other)}


def open_shelf(root: Path) -> Shelf:
    """Read what ships in the checkout `root`; raises `UserError` where some of it is damaged."""
    checkpoints = root / "checkpoints"
    places = {name: checkpoints / "studies" / name for name in OURS}
    places |= {PUBLISHED: checkpoints / "comparisons" / PUBLISHED}
    results = root / "benchmarks" / "results"
    pairs = {name: sorted((place / "pairs").glob("*")) for name, place in places.items()}
    return Shelf(
        certificates=_read(load_equivalence, places, "equivalence"),
        starts=_read(load_equivalence, places, "reachable"),
        plays=_read(load_equivalence, places, "plays"),
        comparison=load_comparison(checkpoints / "comparisons" / "models"),
        screenings=_read(load_screening, places, "screening"),
        explanations=_read(load_explained_classes, places, "explanation"),
        pairs={name: [load_pair(path) for path in paths] for name, paths in pairs.items() if paths},
        measured=json.loads((results / "equivalence.json").read_text(encoding="utf-8")),
        beliefs=json.loads((results / "beliefs.json").read_text(encoding="utf-8"))["rows"],
    )


def _read(load: Callable[[Path], FoundT], places: Mapping[str, Path], folder: str) -> dict[str, FoundT]:
    return {name: load(place / folder) for name, place in places.items() if (place / folder).exists()}


def _called(model: str) -> str:
    return PUBLISHED if model == IMPORTED else model
