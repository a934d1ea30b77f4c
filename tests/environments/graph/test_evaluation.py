"""Exact expectations of policies, against episodes that were really played and against sums done by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from environments.graph.evaluation import PAD, SeenWindows, evaluate_frames, evaluate_states, evaluate_windows
from environments.graph.state_graph import state_graph
from environments.worlds import GraphWorlds

STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"


def _random_policy(n_rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(7), size=n_rows)


@pytest.mark.parametrize("env_id", [STATIC, MOVABLE])
def test_the_optimal_policy_earns_what_six_steps_earn(env_id: str) -> None:
    graph = state_graph(env_id)
    optimal = graph.optimal / np.maximum(graph.optimal.sum(1, keepdims=True), 1)
    optimal[~graph.optimal.any(1), 0] = 1  # where no way leads to success
    expectation = evaluate_states(graph, optimal)
    assert expectation.expected_return == pytest.approx(0.892)
    assert (expectation.success, expectation.failure, expectation.steps) == pytest.approx((1, 0, 6))


def test_an_aimless_policy_earns_what_its_episodes_earn() -> None:
    graph = replace(state_graph(STATIC), max_steps=20)
    policy = _random_policy(len(graph.frames))
    expectation = evaluate_frames(graph, policy)
    worlds = GraphWorlds(graph, 4000, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    frame_id, returns, running = worlds.reset(), torch.zeros(4000), torch.ones(4000, dtype=torch.bool)
    successes = torch.zeros(4000)
    for _ in range(20):
        action = torch.multinomial(torch.tensor(policy)[frame_id], 1, generator=rng)[:, 0]
        outcome = worlds.step(action)
        returns += outcome.reward * running
        successes += outcome.success * running
        running &= ~(outcome.terminated | outcome.truncated)
        frame_id = outcome.frame_id
    error = 4 * float(returns.std()) / 4000**0.5
    assert expectation.expected_return == pytest.approx(float(returns.mean()), abs=error)
    assert expectation.success == pytest.approx(float(successes.mean()), abs=4 * float(successes.std()) / 4000**0.5)


def test_standing_still_earns_nothing_for_the_whole_time() -> None:
    graph = state_graph(STATIC)
    still = np.zeros((graph.n_states, 7))
    still[:, 6] = 1
    expectation = evaluate_states(graph, still)
    assert (expectation.expected_return, expectation.success, expectation.failure) == (0, 0, 0)
    assert expectation.steps == pytest.approx(graph.max_steps)


@pytest.mark.parametrize("n_slots", [1, 2])
def test_a_window_policy_that_looks_at_the_last_frame_only_earns_what_a_frame_policy_earns(n_slots: int) -> None:
    graph = replace(state_graph(STATIC), max_steps=6)
    policy = _random_policy(len(graph.frames))
    by_window = evaluate_windows(graph, lambda windows: policy[windows.frame_id[:, -1]], n_slots=n_slots)
    by_frame = evaluate_frames(graph, policy)
    assert by_window.expected_return == pytest.approx(by_frame.expected_return)
    assert by_window.success == pytest.approx(by_frame.success)
    assert by_window.steps == pytest.approx(by_frame.steps)


def _solver(windows: SeenWindows, way: dict[tuple[int, int], int]) -> np.ndarray:
    """Walk to the fork, then turn as the first and the last frame of the window say together, then step."""
    action = np.full(len(windows.frame_id), 2)
    if windows.time == 4:
        action = np.array([way[row[-5], row[-1]] for row in windows.frame_id])
    return np.eye(7)[action]


def test_five_slots_are_enough_to_solve_the_task_and_four_are_not() -> None:
    graph = state_graph(STATIC)
    way = {}
    for start in graph.start:
        state = start
        for _ in range(4):
            state = graph.next_state[state, 2]
        way[graph.frame_id[start], graph.frame_id[state]] = int(np.flatnonzero(graph.optimal[state])[0])
    solved = evaluate_windows(graph, lambda windows: _solver(windows, way), n_slots=5)
    assert (solved.expected_return, solved.success) == pytest.approx((0.892, 1))
    blind = {(last,): turn for (_, last), turn in way.items()}
    guessed = evaluate_windows(
        graph,
        lambda windows: np.eye(7)[[blind[row[-1],] if windows.time == 4 else 2 for row in windows.frame_id]],
        n_slots=4,
    )
    assert guessed.success == pytest.approx(0.5)


def test_windows_begin_with_pads_and_carry_the_actions() -> None:
    graph = replace(state_graph(STATIC), max_steps=3)
    seen: list[SeenWindows] = []

    def policy(windows: SeenWindows) -> np.ndarray:
        seen.append(windows)
        return np.eye(7)[np.full(len(windows.frame_id), 2)]

    evaluate_windows(graph, policy, n_slots=2)
    assert [windows.time for windows in seen] == [0, 1, 2]
    assert (seen[0].frame_id[:, 0] == PAD).all()
    assert (seen[0].action == PAD).all()
    assert (seen[1].action == [PAD, 2]).all()
    assert (seen[2].action == [2, 2]).all()


def test_what_is_no_policy_is_refused() -> None:
    graph = state_graph(STATIC)
    with pytest.raises(ValueError, match=r"The policy has shape \(3, 7\); \(160, 7\) was expected"):
        evaluate_states(graph, np.ones((3, 7)) / 7)
    with pytest.raises(ValueError, match=r"Row 0 of the policy is .*must be probabilities"):
        evaluate_states(graph, np.ones((160, 7)))
    uniform = np.full((1, 7), 1 / 7)
    with pytest.raises(ValueError, match=r"pairs of state and window are possible at step 2; the limit is 50"):
        evaluate_windows(graph, lambda w: uniform.repeat(len(w.frame_id), 0), n_slots=3, max_situations=50)


def test_a_window_has_a_slot_at_least() -> None:
    with pytest.raises(ValueError, match=r"The window has 0 slots; it needs at least 1, for the present frame"):
        evaluate_windows(state_graph(STATIC), lambda windows: np.ones((len(windows.frame_id), 7)) / 7, n_slots=0)


@pytest.mark.parametrize("max_situations", [3, 20, 100])
def test_what_is_not_followed_bounds_what_is_not_known(max_situations: int) -> None:
    graph = replace(state_graph(STATIC), max_steps=8)
    policy = _random_policy(len(graph.frames))

    def ask(windows: SeenWindows) -> np.ndarray:
        return policy[windows.frame_id[:, -1]]

    exact = evaluate_windows(graph, ask, n_slots=2)
    bound = evaluate_windows(graph, ask, n_slots=2, max_situations=max_situations, tolerance=1.0)
    assert 0 < bound.unfollowed < 1
    for name in ("success", "failure", "expected_return", "timeout"):
        low = getattr(bound, name)
        assert low <= getattr(exact, name) + 1e-9 <= low + bound.unfollowed + 2e-9
    assert exact.success + exact.failure + exact.timeout == pytest.approx(1)


def test_nothing_is_followed_any_more_beyond_the_tolerance() -> None:
    graph = replace(state_graph(STATIC), max_steps=8)
    policy, times = _random_policy(len(graph.frames)), []

    def ask(windows: SeenWindows) -> np.ndarray:
        times.append(windows.time)
        return policy[windows.frame_id[:, -1]]

    bound = evaluate_windows(graph, ask, n_slots=2, max_situations=5, tolerance=0.01)
    assert bound.unfollowed > 0.9
    assert times[-1] < 4


def test_a_tolerance_that_is_not_needed_changes_nothing() -> None:
    graph = replace(state_graph(STATIC), max_steps=6)
    policy = _random_policy(len(graph.frames))
    asked = {"n_slots": 2}
    exact = evaluate_windows(graph, lambda windows: policy[windows.frame_id[:, -1]], **asked)
    bound = evaluate_windows(graph, lambda windows: policy[windows.frame_id[:, -1]], **asked, tolerance=0.5)
    assert bound.unfollowed == exact.unfollowed == 0
    assert bound.expected_return == pytest.approx(exact.expected_return)


def test_a_tolerance_of_nothing_is_not_exceeded_by_nothing() -> None:
    graph = replace(state_graph(STATIC), max_steps=3)
    policy = _random_policy(len(graph.frames))
    exact, bound = (
        evaluate_windows(graph, lambda windows: policy[windows.frame_id[:, -1]], n_slots=2, tolerance=tolerance)
        for tolerance in (None, 0.0)
    )
    assert bound == exact
    assert exact.steps == pytest.approx(3)


def test_the_likeliest_situations_are_the_ones_that_are_followed() -> None:
    """Planted: the way to the left target has probability 0.9 a step; four situations are the ways from four starts."""
    graph = replace(state_graph(STATIC), max_steps=6)
    surely = np.array([2, 2, 2, 2, 0, 2])

    def ask(windows: SeenWindows) -> np.ndarray:
        return np.full((len(windows.frame_id), 7), 0.1 / 6) + np.eye(7)[surely[windows.time]] * (0.9 - 0.1 / 6)

    bound = evaluate_windows(graph, ask, n_slots=1, max_situations=4, tolerance=1.0)
    assert (bound.success, bound.failure) == pytest.approx((0.9**6 / 2, 0.9**6 / 2))
    assert bound.expected_return == pytest.approx(0.1 * bound.success)
    assert 1 - 0.9**5 <= bound.unfollowed + 1e-12 <= 1 - 0.9**6


def test_a_row_that_sums_to_one_with_a_negative_share_is_no_policy() -> None:
    graph = state_graph(STATIC)
    policy = np.full((graph.n_states, 7), 1 / 7)
    policy[3] = [-0.5, 1.5, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"Row 3 of the policy is .*must be probabilities"):
        evaluate_states(graph, policy)
    policy[3] = [0.5, 0.4, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"Row 3 of the policy is .*must be probabilities"):
        evaluate_states(graph, policy)


def test_as_many_situations_as_the_limit_are_followed() -> None:
    """From four starts a policy that walks on has four windows at each time."""
    graph = replace(state_graph(STATIC), max_steps=4)
    on = np.eye(7)[[2]]

    def ask(windows: SeenWindows) -> np.ndarray:
        return on.repeat(len(windows.frame_id), 0)

    assert evaluate_windows(graph, ask, n_slots=2, max_situations=4).steps == pytest.approx(4)
    with pytest.raises(ValueError, match="4 pairs of state and window are possible at step 1; the limit is 3"):
        evaluate_windows(graph, ask, n_slots=2, max_situations=3)


def test_a_window_policy_is_asked_for_probabilities_too() -> None:
    graph = replace(state_graph(STATIC), max_steps=3)
    with pytest.raises(ValueError, match=r"Row 0 of the policy is .*must be probabilities"):
        evaluate_windows(graph, lambda windows: np.full((len(windows.frame_id), 7), 0.2), n_slots=2)
    with pytest.raises(ValueError, match=r"The policy has shape \(4, 6\); \(4, 7\) was expected"):
        evaluate_windows(graph, lambda windows: np.full((len(windows.frame_id), 6), 1 / 6), n_slots=2)
