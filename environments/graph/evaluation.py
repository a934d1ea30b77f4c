"""Exact expected return and chance of success of a policy on a state graph, with no episode played.

Probability flows through the graph one step at a time, from the starts to the time limit. What flows is the
distribution over states, or, for a policy that remembers, over pairs of a state and what the policy remembers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32

from environments.graph.enumeration import CONTINUES, SUCCESS
from environments.graph.state_graph import StateGraph

MAX_SITUATIONS = 2_000_000
"""Pairs of a state and a window at one time after which the evaluation of a window policy gives up."""

PAD = -1
"""The frame and the action in the slots of a window that are older than the episode."""


@dataclass(frozen=True)
class Expectation:
    """What a policy earns on average over starts, its own choices, and nothing else: there is no error to state."""

    expected_return: float
    success: float
    """The probability that an episode ends with success."""
    failure: float
    """The probability that it ends otherwise before the time limit."""
    steps: float
    """The mean length of an episode."""
    unfollowed: float = 0.0
    """The probability of what was too unlikely to be followed: success or failure may be more by as much, the return by
    at most as much."""

    @property
    def timeout(self) -> float:
        """The probability that time runs out; it may be more by what was not followed."""
        return max(0.0, 1 - self.success - self.failure - self.unfollowed)


def evaluate_states(graph: StateGraph, policy: Float64[np.ndarray, "state action"]) -> Expectation:
    """Return what a policy earns that knows the state: probabilities of the actions in each state.

    Raises ValueError for rows that are no distributions.
    """
    _require_distributions(policy, (graph.n_states, graph.n_actions))
    tally = _Tally(graph.max_steps)
    mass = np.zeros(graph.n_states)
    mass[graph.start] = graph.start_probability
    goes_on = graph.outcome == CONTINUES
    for time in range(1, graph.max_steps + 1):
        flow = mass[:, None] * policy  # state action
        tally.add(flow, graph.outcome, time=time)
        mass = np.bincount(graph.next_state[goes_on], weights=flow[goes_on], minlength=graph.n_states)
    return tally.expectation()


def evaluate_frames(graph: StateGraph, policy: Float64[np.ndarray, "frame action"]) -> Expectation:
    """Return what a policy earns that sees one frame and remembers nothing: probabilities of the actions by frame."""
    _require_distributions(policy, (len(graph.frames), graph.n_actions))
    return evaluate_states(graph, policy[graph.frame_id])


@dataclass(frozen=True)
class SeenWindows:
    """Different windows: the last frames, the present one last, and the actions between; PAD before the episode."""

    frame_id: Int32[np.ndarray, "window slot"]
    action: Int32[np.ndarray, "window slot"]
    """The action that was taken before each frame was shown; PAD where the episode begins."""
    time: int
    """Steps taken so far, the same for all."""


WindowPolicy = Callable[[SeenWindows], Float64[np.ndarray, "window action"]]
"""Windows into the probabilities of the actions. Each distinct window is asked about once per time."""


def evaluate_windows(
    graph: StateGraph,
    policy: WindowPolicy,
    *,
    n_slots: int,
    max_situations: int = MAX_SITUATIONS,
    tolerance: float | None = None,
) -> Expectation:
    """Return what a policy earns that sees the last `n_slots` frames and the actions between them, and the time.

    Pairs of state and window that are reached with probability 0 are not followed, so a policy that does not hesitate
    is cheap; one that tries everything has up to 7^(n_slots - 1) windows in each state. Raises ValueError for a window
    without slots, and if there are more than `max_situations` pairs at one time.

    With a `tolerance` it never gives up: only the `max_situations` likeliest pairs are followed, and nothing any more
    once the others come to more than the tolerance. `unfollowed` says what they came to, so the result is a bound.
    """
    flow = WindowFlow(graph, n_slots=n_slots, max_situations=max_situations, tolerance=tolerance)
    while flow.goes_on:
        flow.take(policy(flow.seen))
    return flow.expectation


class WindowFlow:
    """The flow of probability under a window policy, one step at a time; see `evaluate_windows`.

    While it goes on, `seen` says which windows a policy is asked about, and `take` moves on by what it answers.
    """

    def __init__(
        self,
        graph: StateGraph,
        *,
        n_slots: int,
        max_situations: int = MAX_SITUATIONS,
        tolerance: float | None = None,
    ) -> None:
        """Begin at the starts. Raises ValueError for a window without slots."""
        if n_slots < 1:
            raise ValueError(f"The window has {n_slots} slots; it needs at least 1, for the present frame.")
        self._graph, self._max_situations, self._tolerance = graph, max_situations, tolerance
        self._tally, self._time = _Tally(graph.max_steps), 0
        frame_id = np.full((len(graph.start), n_slots), PAD, dtype=np.int32)
        frame_id[:, -1] = graph.frame_id[graph.start]
        self._hold(_Situations(graph.start, frame_id, np.full_like(frame_id, PAD), graph.start_probability))

    @property
    def goes_on(self) -> bool:
        """Whether anything is left to flow before the time limit."""
        return self._time < self._graph.max_steps and len(self._held.state) > 0

    @property
    def expectation(self) -> Expectation:
        """What came of it by now."""
        return self._tally.expectation()

    def take(self, probability: Float64[np.ndarray, "window action"]) -> None:
        """Move on by one step, with the probabilities of the actions in each window that is seen.

        Raises ValueError where these are no distributions, and for more situations than may be.
        """
        _require_distributions(probability, (len(self.seen.frame_id), self._graph.n_actions))
        held, self._time = self._held, self._time + 1
        flow = held.mass[:, None] * probability[self._which]
        self._tally.add(flow, self._graph.outcome[held.state], time=self._time)
        held = _after(held, flow, self._graph)
        if len(held.state):
            held = held.merged()
            if self._tolerance is not None:
                held = self._tally.leave_off(held, self._max_situations, self._tolerance)
        if len(held.state) > self._max_situations:
            raise ValueError(
                f"{len(held.state)} pairs of state and window are possible at step {self._time}; the limit is "
                f"{self._max_situations}."
            )
        self._hold(held)

    def _hold(self, held: "_Situations") -> None:
        """Find the different windows of situations: situations with equal ones share one question."""
        self._held = held
        if not len(held.state):
            return
        rows = np.column_stack([held.frame_id, held.action])
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        self._which = which.reshape(-1)
        self.seen = SeenWindows(held.frame_id[first], held.action[first], self._time)


@dataclass(frozen=True)
class _Situations:
    state: Int32[np.ndarray, " situation"]
    frame_id: Int32[np.ndarray, "situation slot"]
    action: Int32[np.ndarray, "situation slot"]
    mass: Float64[np.ndarray, " situation"]

    def merged(self) -> "_Situations":
        """Return each pair of state and window once, with the sum of its probabilities."""
        rows = np.column_stack([self.state, self.frame_id, self.action])
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        mass = np.bincount(which.reshape(-1), weights=self.mass, minlength=len(first))
        return _Situations(self.state[first], self.frame_id[first], self.action[first], mass)


def _after(held: _Situations, flow: Float64[np.ndarray, "situation action"], graph: StateGraph) -> _Situations:
    """Return where the flow leads that neither ends nor vanishes."""
    goes_on = (graph.outcome[held.state] == CONTINUES) & (flow > 0)
    situation, action = np.nonzero(goes_on)
    state = graph.next_state[held.state[situation], action]
    return _Situations(
        state,
        _shifted(held.frame_id[situation], graph.frame_id[state]),
        _shifted(held.action[situation], action.astype(np.int32)),
        flow[goes_on],
    )


def _shifted(slots: Int32[np.ndarray, "row slot"], newest: Int32[np.ndarray, " row"]) -> Int32[np.ndarray, "row slot"]:
    return np.column_stack([slots[:, 1:], newest])


class _Tally:
    """Sums what flows out of a graph."""

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps
        self._return = self._success = self._failure = self._steps = self._unfollowed = 0.0

    def leave_off(self, held: _Situations, n_followed: int, tolerance: float) -> _Situations:
        """Return the likeliest situations, or none where the others come to more than the tolerance by now."""
        order = np.argsort(-held.mass, kind="stable")
        self._unfollowed += float(held.mass[order[n_followed:]].sum())
        followed = order[:n_followed]
        if self._unfollowed > tolerance:
            self._unfollowed += float(held.mass[followed].sum())
            followed = followed[:0]
        return _Situations(held.state[followed], held.frame_id[followed], held.action[followed], held.mass[followed])

    def add(self, flow: Float64[np.ndarray, "row action"], outcome: np.ndarray, *, time: int) -> None:
        succeeded = float(flow[outcome == SUCCESS].sum())
        ended = float(flow[outcome != CONTINUES].sum())
        self._return += succeeded * (1 - 0.9 * (time / self._max_steps))
        self._success += succeeded
        self._failure += ended - succeeded
        self._steps += float(flow.sum())

    def expectation(self) -> Expectation:
        return Expectation(self._return, self._success, self._failure, self._steps, self._unfollowed)


def _require_distributions(policy: Float64[np.ndarray, "row action"], shape: tuple[int, int]) -> None:
    if policy.shape != shape:
        raise ValueError(f"The policy has shape {policy.shape}; {shape} was expected.")
    if (policy < 0).any() or not np.allclose(policy.sum(axis=1), 1):
        worst = int(np.argmax(np.abs(policy.sum(axis=1) - 1) + (policy < 0).any(axis=1)))
        raise ValueError(f"Row {worst} of the policy is {policy[worst]}; it must be probabilities that sum to 1.")
