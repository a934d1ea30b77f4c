"""Regression of beliefs: planted ones are recovered, what is seen counts for nothing, shuffled ones score nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from dtinterp.features.belief_regression import (
    PENALTIES,
    BeliefTargets,
    _weights,
    belief_targets,
    centred,
    predicted,
    scored,
)
from dtinterp.foundation.errors import UserError
from environments.graph.plays import MOVES
from environments.graph.state_graph import StateGraph, state_graph
from environments.graph.window_posteriors import played_windows

N, N_FRAMES = 400, 20


@pytest.fixture
def targets() -> BeliefTargets:
    """Two facts of two values each; the frame tells the second one, and nothing of the first."""
    rng = np.random.default_rng(0)
    frame, key = rng.integers(0, N_FRAMES, N), rng.integers(0, 2, N)
    seen = frame % 2
    chance = np.stack([key, 1 - key, seen, 1 - seen], axis=1).astype(float)
    return BeliefTargets(chance, np.array([0, 0, 1, 1]), frame * 2 + key, frame, rng.integers(0, 3, N))


def _rows(targets: BeliefTargets, memory: float) -> torch.Tensor:
    """Rows that show a frame in a code of its own, and what is remembered along one direction, beside noise."""
    rng = np.random.default_rng(1)
    code = 5 * rng.normal(size=(N_FRAMES, 16))
    direction = rng.normal(size=16)
    rows = code[targets.frame] + memory * targets.chance[:, :1] * direction + 0.1 * rng.normal(size=(N, 16))
    return torch.from_numpy(rows).float()


def _score(rows: torch.Tensor, targets: BeliefTargets):
    truth = {"real": targets.left_open, "dealt": targets.dealt_out(np.random.default_rng(2))}
    found = predicted(rows, truth, targets.frame, n_folds=4)
    return {name: scored(targets, truth[name], [found[name]], np.random.default_rng(3)) for name in truth}


def test_what_is_remembered_is_read_at_frames_that_no_fit_saw_and_what_is_seen_counts_for_nothing(targets):
    found = _score(_rows(targets, memory=1.0), targets)
    assert found["real"].r2[0, 0] > 0.95
    assert found["real"].low[0, 0] <= found["real"].r2[0, 0] <= found["real"].high[0, 0]
    assert found["real"].r2[0, 1] == 0
    assert (found["real"].by_time[0, 0] > 0.9).all()
    unseen, told = targets.open_share
    assert 0.8 < unseen <= 1
    assert told == 0


def test_rows_that_only_see_and_beliefs_that_were_dealt_out_score_nothing(targets):
    assert abs(float(_score(_rows(targets, memory=0.0), targets)["real"].r2[0, 0])) < 0.1
    assert abs(float(_score(_rows(targets, memory=1.0), targets)["dealt"].r2[0, 0])) < 0.15


def test_weights_are_those_of_scikit_learn(targets):
    x, y = centred(_rows(targets, 1.0).double().numpy(), targets.frame), targets.left_open
    for penalty, weights in zip(PENALTIES, _weights(x.T @ x, x.T @ y), strict=True):
        expected = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(x, y).coef_.T
        np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_centring_takes_the_mean_of_each_group_off():
    found = centred(np.array([[1.0], [3.0], [10.0]]), np.array([7, 7, 2]))
    assert found.tolist() == [[-1], [1], [0]]


def test_windows_that_share_a_belief_share_what_is_dealt_out(targets):
    dealt = targets.dealt_out(np.random.default_rng(0))
    for belief in range(targets.n_beliefs):
        assert np.ptp(dealt[targets.belief == belief], axis=0).max(initial=0) < 1e-12


def test_more_folds_than_frames_are_refused(targets):
    with pytest.raises(UserError, match="there are 20 different frames for 21 folds: give more or longer plays"):
        predicted(_rows(targets, 1.0), {"real": targets.left_open}, targets.frame, n_folds=21)


@pytest.fixture(scope="module")
def world() -> StateGraph:
    return state_graph("MiniGrid-MemoryS7-v0")


def test_beliefs_of_a_world_are_chances_of_each_facts_values(world: StateGraph):
    played = played_windows(world, MOVES, n_plays=60, n_slots=4, longest=3, generator=np.random.default_rng(0))
    targets = belief_targets(world, played, ("instruction", "direction"))
    for fact in (0, 1):
        np.testing.assert_allclose(targets.chance[:, targets.fact == fact].sum(1), 1)
    assert ((targets.chance > 0.01) & (targets.chance < 0.99)).any()
    assert (targets.frame == played.windows.frame_id[:, -1]).all()
    with pytest.raises(UserError, match="the fact is 'mood', expected one of instruction"):
        belief_targets(world, played, ("mood",))
    one = replace(targets, time=np.zeros_like(targets.time))
    assert one.n_beliefs == targets.n_beliefs
