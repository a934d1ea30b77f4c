"""What all dictionaries of a site share is found out once, and is what it would be alone."""

import pytest
import torch

from dtinterp.activations.harvest import logits_at_rows
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.dictionary.evaluation.behaviour import ConstantRow
from dtinterp.interventions.replacements.scoring import Answers, HeldOutRows
from dtinterp.interventions.returns.model_returns import ActingConfig, ModelReturns, arms_of, decision_frames
from dtinterp.subject.subject import open_subject
from environments.graph.state_graph import state_graph

SITE = "blocks.0.hook_resid_pre"
ACTING = ActingConfig(n_episodes=0)


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


def test_answers_that_are_kept_are_those_of_the_model(held_out):
    subject, answers = held_out.subject, Answers(held_out)
    mean = held_out.rows.value.mean(dim=0)
    for edit in (None, torch.zeros_like, ConstantRow(mean), ConstantRow(2 * mean), torch.neg):
        expected = logits_at_rows(subject.model, held_out.windows, subject.items, site=SITE, edit=edit)
        assert torch.equal(answers(edit), expected)
        assert torch.equal(answers(edit), expected)  # the second time it may be a memory


def test_the_controls_are_those_of_every_dictionary(held_out):
    subject = held_out.subject
    mean = held_out.rows.value.mean(dim=0)
    trial = ModelReturns(subject.model, subject.trajectories.env_id, ACTING, seed=0)
    arms = arms_of(subject.model, SITE, torch.zeros_like, mean)
    found = held_out.controls(ACTING, seed=0)
    assert found.exact == trial.under({arm: arms[arm] for arm in ("clean", "zero", "mean")}).exact
    assert held_out.controls(ACTING, seed=0) is found


def test_decision_points_are_looked_at_in_the_windows_that_hold_one(held_out):
    assert held_out.near_decisions is not None
    near, decisions = held_out.near_decisions
    assert 0 < len(near.windows) < len(held_out.windows)
    in_window = torch.zeros_like(near.windows.mask)
    in_window[near.windows.mask] = decisions.is_decision
    assert in_window.any(dim=1).all()
