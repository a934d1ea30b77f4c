"""A result made by hand, and an experiment on the smallest model that ships."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from dtinterp.interventions.experiment.arms import EDIT, MATCHED, WRONG_SIGN
from dtinterp.interventions.experiment.claims import claims_of, refutations_of
from dtinterp.interventions.experiment.opening import Opened, open_experiment
from dtinterp.interventions.experiment.result import ArmChanges, ExperimentResult
from dtinterp.interventions.experiment.specification import MEASURES, Experiment, RefutedIf
from dtinterp.subject.subject import Subject, open_subject

STRICT = RefutedIf()
CHECKPOINTS = Path(__file__).parents[4] / "checkpoints"
TEXT = f"""
question: Does the direction of the instruction turn the agent?
subject: {{dictionaries: {{topk: "{CHECKPOINTS}/studies/memory-dt-small-0/dictionaries/hook_obs_embed/topk-128-k8"}}}}
windows: decision_points
directions: {{instruction: {{kind: component, tell: instruction}}}}
edits:
  - set: {{direction: instruction}}
    at: {{site: hook_obs_embed, slot: first}}
    to: [0, 3]
measure: [{{logit_difference: [left, right]}}, flip, kl]
controls: {{random_directions: 3, matched_features: 3}}
"""


@pytest.fixture(scope="session")
def studied() -> Subject:
    return open_subject(CHECKPOINTS / "models" / "memory-dt-small-0")


@pytest.fixture(scope="session")
def said() -> Callable[..., Experiment]:
    """Returns the experiment with some fields changed."""
    return lambda **changes: Experiment.model_validate({**yaml.safe_load(TEXT), **changes})


@pytest.fixture(scope="session")
def opened(said: Callable[..., Experiment], studied: Subject) -> Opened:
    return open_experiment(said(), subject=studied)


def _changes(at_last: list[list[float]]) -> torch.Tensor:
    """One dose that does nothing, and then a change of each measure in each window."""
    last = torch.tensor(at_last)[:, None]
    return torch.cat([torch.zeros_like(last), last], dim=1)


@pytest.fixture
def by_hand(said: Callable[..., Experiment]) -> Callable[..., ExperimentResult]:
    """Returns the result of an edit that flips three of four windows, held against some controls."""

    def made(*controls: tuple[str, list[list[float]]], rules: RefutedIf = STRICT) -> ExperimentResult:
        edit = ArmChanges(EDIT, "the edit", _changes([[4.0, -4.0, 4.0, -2.0], [1.0, 1.0, 1.0, 0.0]]))
        arms = [ArmChanges(family, f"{n}", _changes(change)) for n, (family, change) in enumerate(controls)]
        claims = claims_of(MEASURES, [edit, *arms], (), seed=0)
        return ExperimentResult(
            experiment=said(measure=["logit_difference", "flip"]).said,
            model="by hand",
            measures=tuple(each.title for each in MEASURES),
            windows=("a", "b", "c", "d"),
            doses=(0.0, 5.0),
            arms=(edit, *arms),
            loops=(),
            side_effects={"topk": torch.tensor([0.0, 2.0, 1.0])},
            explains={"instruction": {"items": 8.0}},
            claims=claims,
            refuted_by=refutations_of(rules, claims, ()),
            missing=("other slots",),
        )

    return made


@pytest.fixture
def weak() -> tuple[str, list[list[float]]]:
    """A matched feature that does little."""
    return MATCHED, [[0.5, 0.5, -0.5, 0.5], [0.0, 0.0, 0.0, 0.0]]


@pytest.fixture
def strong() -> tuple[str, list[list[float]]]:
    """One that does as much as the edit on the first measure."""
    return MATCHED, [[4.0, 4.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]]


@pytest.fixture
def mirrored() -> tuple[str, list[list[float]]]:
    """As far the other way: as large, in the opposite direction."""
    return WRONG_SIGN, [[-4.0, 4.0, -4.0, 2.0], [0.0, 0.0, 0.0, 0.0]]
