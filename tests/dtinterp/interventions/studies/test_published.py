"""The published model's known answers: read from its authors' articles, or computed from its file by others."""

from collections.abc import Callable

import pytest
import torch

from dtinterp.interventions.studies.published import COEFFICIENTS, PublishedExperiments, run_published
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject

RESTORED = {
    "(0,5)": [0.333, 0.531, 0.362, 0.582],
    "(4,2)": [0.512, 0.652, 0.118, 0.174],
    "both": [1.031, 0.975, 0.973, 1.048],
}
ORIGINAL = [3.766, -6.425, 7.262, -7.743]
SET = [
    [-7.74, -7.99, -3.11, 3.60, 3.48],
    [7.27, 6.06, 0.06, -6.12, -6.58],
    [7.50, 6.29, -0.67, -7.06, -7.19],
    [-7.66, -7.69, -2.19, 4.10, 4.17],
]
PROJECTION = [[1.546, 1.171, -1.619, -1.244], [-1.052, -1.427, 0.478, 0.853]]


@pytest.fixture(scope="module")
def published_subject(published: DecisionTransformer, subject_of: Callable[[DecisionTransformer], Subject]) -> Subject:
    return subject_of(published)


@pytest.fixture(scope="module")
def found(published_subject: Subject) -> PublishedExperiments:
    return run_published(published_subject)


def test_the_model_turns_as_published(found: PublishedExperiments) -> None:
    assert found.names == ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball")
    assert found.original.tolist() == pytest.approx(ORIGINAL, abs=2e-3)


def test_decoys_restore_what_they_were_published_to(found: PublishedExperiments) -> None:
    for restored, expected in zip(found.restored.tolist(), RESTORED.values(), strict=True):
        assert restored == pytest.approx(expected, abs=1e-2)


def test_a_flipped_instruction_is_the_other_configuration_exactly(found: PublishedExperiments) -> None:
    torch.testing.assert_close(found.flipped, found.original[[3, 2, 1, 0]], atol=1e-5, rtol=0)


def test_the_first_component_set_turns_every_configuration(found: PublishedExperiments) -> None:
    assert COEFFICIENTS == (-2, -1, 0, 1, 2)
    for curve, expected in zip(found.component_set.tolist(), SET, strict=True):
        assert curve == pytest.approx(expected, abs=0.05)


def test_raw_embeddings_are_another_recipe(published_subject: Subject, found: PublishedExperiments) -> None:
    """Logit differences move by up to 1.3."""
    raw = run_published(published_subject, scaled=False)
    assert 0.5 < float((raw.component_set - found.component_set).abs().max()) < 1.5


def test_the_first_token_holds_the_instruction_and_decoys_turn_it(found: PublishedExperiments) -> None:
    for projection, expected in zip(found.projection.tolist(), PROJECTION, strict=True):
        assert projection == pytest.approx(expected, abs=5e-3)


def test_targets_act_through_the_last_frame(found: PublishedExperiments) -> None:
    in_first, in_last = found.exchanged
    assert (in_last * found.original < 0).all()
    assert (in_first * found.original > 0).all()


def test_a_planted_model_passes_every_experiment(planted_subject: Subject) -> None:
    """Decoys stand against the instruction: one cancels it, two outvote it."""
    found = run_published(planted_subject)
    assert (found.flipped * found.original < 0).all()
    assert (found.decoyed[2] * found.original < 0).all()
    turned = found.component_set[:, [0, -1]].sign()
    assert torch.equal(turned[:, 0], -turned[:, 1])
    assert DecisionPoints().choose(planted_subject, seed=0).names == found.names
