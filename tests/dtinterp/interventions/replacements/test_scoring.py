"""A dictionary's card on held-out rows."""

from dataclasses import replace

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.kinds.baselines.identity import Identity
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.interventions.replacements.scoring import (
    HeldOutRows,
    Judging,
    concepts,
    score_on_held_out,
)
from dtinterp.interventions.returns.model_returns import ActingConfig, decision_frames
from dtinterp.subject.fitting import TrainingRows
from dtinterp.subject.subject import open_subject
from dtinterp.subject.unseen_frames import unseen_frames
from environments.graph.state_graph import state_graph
from environments.vocabulary import CHANNELS

SITE = "blocks.0.hook_resid_pre"
ACTING = ActingConfig(n_episodes=3)


@pytest.fixture(scope="module")
def held_out(small_study):
    """Windows that end at decision points, and as many others."""
    subject = open_subject(small_study / "models" / "novice", small_study / "demonstrations" / "walks")
    trajectories = subject.trajectories
    at_decisions = FrameTable(decision_frames(state_graph(trajectories.env_id)))
    decides = at_decisions.find(trajectories.frames) != ABSENT
    steps = decides[trajectories.frame_id.long()].nonzero().flatten()[:12]
    others = torch.arange(0, trajectories.n_steps, trajectories.n_steps // 12)[:12]
    return HeldOutRows.at(subject, SITE, window(trajectories, torch.cat([steps, others])))


def _fit(held_out, kind):
    return fit(held_out.rows.value, FitConfig(kind), generator=torch.Generator().manual_seed(0), site=SITE)


def test_a_card_does_not_depend_on_which_dictionary_came_before(held_out):
    subject = held_out.subject
    fitted = TrainingRows.of(subject, SITE, n_windows=24, seed=0)
    small, judging = _fit(held_out, Pca(3)), Judging(ACTING)
    fresh = replace(held_out)
    score_on_held_out(held_out, _fit(held_out, Identity()), judging, fitted=fitted, seed=0)
    after = score_on_held_out(held_out, small, judging, fitted=fitted, seed=0)
    assert after == score_on_held_out(fresh, small, judging, fitted=fitted, seed=0)


def test_a_perfect_dictionary_behaves_as_the_model_itself(held_out):
    fitted = TrainingRows.of(held_out.subject, SITE, n_windows=24, seed=0)
    score = score_on_held_out(held_out, _fit(held_out, Identity()), Judging(ACTING), fitted=fitted, seed=0)
    assert score.spliced.kl.estimate == pytest.approx(0, abs=1e-6)
    assert score.acting is not None
    assert score.acting.exact["spliced"].expected_return == pytest.approx(score.acting.exact["clean"].expected_return)
    assert score.decisions is not None
    assert score.decisions.everywhere.spliced.kl.estimate == pytest.approx(0, abs=1e-6)
    assert score.verdict is not None
    assert score.verdict.failures[0].startswith("L0 16.0")


def test_rows_of_a_frame_that_the_fit_never_showed_are_judged_apart(held_out):
    fitted = TrainingRows.of(held_out.subject, SITE, n_windows=24, seed=0)
    shown = held_out.frame_id.mode().values
    without = replace(fitted, frame_id=fitted.frame_id[fitted.frame_id != shown])
    score = score_on_held_out(held_out, _fit(held_out, Pca(3)), Judging(ACTING), fitted=without, seed=0)
    assert score.held_out is not None
    assert score.held_out.unseen_frame is not None
    is_new = ~torch.isin(held_out.frame_id, without.frame_id)
    assert score.held_out.unseen_frame.inputs.n_rows == int(is_new.sum())


def test_at_the_embedding_every_frame_that_the_fit_never_showed_is_judged_once(held_out):
    subject = held_out.subject
    fitted = TrainingRows.of(subject, OBSERVATION_EMBEDDING, n_windows=6, seed=0)
    frames = unseen_frames(subject, fitted)
    rows = HeldOutRows.of(subject, OBSERVATION_EMBEDDING, n_windows=8, seed=0)
    whole = replace(_fit(rows, Pca(3)), site=OBSERVATION_EMBEDDING)
    cards = score_on_held_out(rows, whole, Judging(ACTING), fitted=fitted, seed=0).held_out
    assert cards is not None
    assert cards.unseen is not None
    assert cards.unseen_frame is not None
    assert cards.unseen.inputs.n_rows == cards.unseen.fvu.n == len(frames.demonstrated)
    assert cards.unseen_frame.inputs.n_rows == len(frames.known)


def test_a_whole_holds_where_one_of_its_parts_does():
    key, ball, wall = (CHANNELS[0].index(name) for name in ("key", "ball", "wall"))
    objects = torch.tensor([[key, wall, ball]] * 5 + [[wall, key, wall]] * 5 + [[wall, wall, wall]], dtype=torch.uint8)
    found = {concept.name: concept for concept in concepts(objects)}
    assert found["key in view"].holds.tolist() == [True] * 10 + [False]
    assert found["key in view"].parts.tolist() == [[True, False]] * 5 + [[False, True]] * 5 + [[False, False]]
    assert found["ball in view"].parts.shape[1] == 1
    assert not found["door in view"].holds.any()
