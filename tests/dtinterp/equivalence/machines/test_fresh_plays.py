"""Plays follow the world, and count what agrees."""

import numpy as np
import pytest
import torch

from dtinterp.demonstrations.samplers import Greedy
from dtinterp.equivalence.machines.fresh_plays import any_of, by_length, drawn_by, is_near, played, says_the_action
from dtinterp.equivalence.machines.machine import PolicyMachine
from dtinterp.equivalence.plays.policy_tree import PlaysConfig, model_asked, policy_tree

FORWARD = 2


@pytest.fixture(scope="module")
def fresh(model, graph):
    choose = any_of((0, 1, 2), torch.Generator().manual_seed(0))
    asked = model_asked(model, graph, 0.892)
    return played(asked, graph, choose, n_plays=40, n_steps=3, rng=np.random.default_rng(0))


def test_logits_are_those_of_all_plays(fresh, model, graph):
    every = policy_tree(model, graph, PlaysConfig(horizon=3))
    tree, logits = every.tree, {}
    words: list[tuple[tuple[int, int], ...]] = [()] * len(tree)
    for history in range(len(tree)):
        before = words[tree.parent[history]] if tree.parent[history] >= 0 else ()
        words[history] = (*before, (int(tree.action[history]), int(every.frame_id[history])))
        logits[words[history]] = every.logits[history]
    own: list[tuple[tuple[int, int], ...]] = [()] * len(fresh.seen)
    for play in range(len(fresh.seen)):
        before = own[fresh.seen.parent[play]] if fresh.seen.parent[play] >= 0 else ()
        own[play] = (*before, (int(fresh.seen.action[play]), int(fresh.seen.frame_id[play])))
        assert torch.allclose(fresh.logits[play], logits[own[play]], atol=1e-4)


def _always(action, graph):
    frame = torch.arange(len(graph.frames)).repeat(7)
    taken = torch.arange(7).repeat_interleave(len(graph.frames))
    nowhere = torch.zeros_like(frame)
    start = torch.zeros(len(graph.frames), dtype=torch.int64)
    return PolicyMachine(start, torch.tensor([action]), nowhere, taken, frame, nowhere, n_actions=7)


def test_agreement_is_counted_by_decision_and_by_play(fresh, graph):
    machine = _always(FORWARD, graph)
    found = fresh.test("all", machine, says_the_action(machine), np.ones(len(fresh.play), dtype=bool))
    right = (fresh.logits.argmax(-1) == FORWARD).numpy()[fresh.seen.of_history]
    whole = [right[fresh.play == play].all() for play in range(40)]
    assert found.decisions.estimate == pytest.approx(right.mean())
    assert found.plays.estimate == pytest.approx(np.mean(whole))
    assert (found.n_plays, found.n_unknown) == (40, 0)


def test_no_counted_history_is_no_test(fresh, graph):
    machine = _always(FORWARD, graph)
    assert fresh.test("none", machine, says_the_action(machine), np.zeros(len(fresh.play), dtype=bool)) is None


def test_decisions_within_the_window_and_beyond_it_are_told_apart(fresh, graph):
    machine = _always(FORWARD, graph)
    names = {each.name: each.decisions.n for each in by_length("plays", fresh, machine, says_the_action(machine), 3)}
    time = fresh.seen.time[fresh.seen.of_history]
    assert names == {"plays, within the window": (time < 3).sum(), "plays, beyond the window": (time >= 3).sum()}


def test_a_greedy_player_takes_the_greedy_action(left_at_the_fork, graph):
    asked = model_asked(left_at_the_fork, graph, 0.892)
    greedy = drawn_by(Greedy(), torch.Generator())
    fresh = played(asked, graph, greedy, n_plays=4, n_steps=3, rng=np.random.default_rng(0))
    assert set(fresh.seen.action[fresh.seen.time > 0]) == {FORWARD}


def test_a_distribution_is_near_itself_and_not_near_another_one(fresh):
    of_state = fresh.logits[:2].double().softmax(-1).numpy()
    near = is_near(of_state, 0.001)(np.array([0, 1, 0]), fresh.logits[[0, 1, 1]])
    assert near[:2].all()
