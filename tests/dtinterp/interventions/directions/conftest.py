"""Directions as a file would name them, found in the planted model's decision points."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.interventions.directions import DirectionSpec
from dtinterp.interventions.directions.finder import FoundDirections, Material
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.subject.subject import Subject


@pytest.fixture(scope="session")
def material(planted_subject: Subject) -> Material:
    return Material(planted_subject, OBSERVATION_EMBEDDING, DecisionPoints().choose(planted_subject, seed=0))


@pytest.fixture(scope="session")
def find(material: Material) -> Callable[..., FoundDirections]:
    """Finds a direction of a kind; `given` replaces what it is found in."""
    kinds: TypeAdapter = TypeAdapter(DirectionSpec)

    def found(kind: str, given: dict[str, object] | None = None, **fields: object) -> FoundDirections:
        return kinds.validate_python({"kind": kind, **fields}).find(replace(material, **(given or {})))

    return found
