"""What an ideal observer believes in play of random actions, and how likely each belief is: exact, no play is sampled.

A play begins at a start and goes on with k actions, all of them equally likely; k is 0 to `longest`, each as likely as
any other, and plays that ended before are left out. Actions tell nothing of the state that frames do not, so after a
history h of frames and actions the belief is the chance of each start, given that the actions lead from it through just
these frames. Histories with the same belief are followed once: the beliefs are enumerated, then probability flows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64

from environments.graph.enumeration import CONTINUES
from environments.graph.state_graph import StateGraph

DIGITS = 12
"""Decimals by which the chances of two beliefs are told apart; what is beyond is rounding."""


@dataclass(frozen=True)
class Posteriors:
    """Beliefs as probabilities of states; an entry is one state that one belief holds possible."""

    n_beliefs: int
    belief: Int64[np.ndarray, " entry"]
    state: Int64[np.ndarray, " entry"]
    chance: Float64[np.ndarray, " entry"]
    """of the state under the belief"""

    def mean(self, values: Float64[np.ndarray, "state column"]) -> Float64[np.ndarray, "belief column"]:
        """Return the expectation of each column under each belief."""
        found = np.zeros((self.n_beliefs, values.shape[1]))
        np.add.at(found, self.belief, self.chance[:, None] * values[self.state])
        return found


@dataclass(frozen=True)
class RandomPlay(Posteriors):
    """The beliefs that random play leaves, each once."""

    longest: int
    """actions"""
    probability: Float64[np.ndarray, " belief"]
    """how likely a history is to leave it"""
    frame_id: Int32[np.ndarray, " belief"]
    """the frame that its histories end in"""


def random_play(graph: StateGraph, longest: int) -> RandomPlay:
    """Return the beliefs in plays of up to `longest` random actions. Raises ValueError for a negative number."""
    if longest < 0:
        raise ValueError(f"plays are of up to {longest} actions, expected 0 or more")
    begun = dict(_by_frame(graph, graph.start, graph.start_probability))
    number = {belief: n for n, belief in enumerate(begun)}
    moves: list[tuple[int, int, float]] = []
    frontier = list(begun)
    for _ in range(longest):
        reached = []
        for belief in frontier:
            for after, share in _after(graph, belief):
                if after not in number:
                    number[after] = len(number)
                    reached.append(after)
                moves.append((number[belief], number[after], share))
        frontier = reached
    return _gathered(graph, longest, list(number), _flow(list(begun.values()), moves, len(number), longest))


_Belief = tuple[tuple[int, float], ...]
"""States and the chance of each, in order; all of them show the same frame."""


def _by_frame(
    graph: StateGraph, states: Int32[np.ndarray, " state"], weight: Float64[np.ndarray, " state"]
) -> list[tuple[_Belief, float]]:
    """Return the belief that each frame leaves of weighted states, and the weight of the states that show it."""
    total = np.bincount(states, weights=weight, minlength=1)
    states = np.unique(states)
    found = []
    for frame in np.unique(graph.frame_id[states]):
        shown = states[graph.frame_id[states] == frame]
        share = float(total[shown].sum())
        chances = (total[shown] / share).round(DIGITS)
        found.append((tuple(zip(shown.tolist(), chances.tolist(), strict=True)), share))
    return found


def _after(graph: StateGraph, belief: _Belief) -> list[tuple[_Belief, float]]:
    """Return what may be believed one random action later, and how likely; less than 1 together where plays end."""
    states, chance = np.array([state for state, _ in belief]), np.array([each for _, each in belief])
    found = []
    for action in range(graph.n_actions):
        goes_on = graph.outcome[states, action] == CONTINUES
        if goes_on.any():
            found += _by_frame(graph, graph.next_state[states[goes_on], action], chance[goes_on] / graph.n_actions)
    return found


def _flow(
    begun: list[float], moves: list[tuple[int, int, float]], n_beliefs: int, longest: int
) -> Float64[np.ndarray, " belief"]:
    source, target, share = np.array(moves, dtype=float).reshape(-1, 3).T
    mass, probability = np.zeros(n_beliefs), np.zeros(n_beliefs)
    mass[: len(begun)] = begun
    for _ in range(longest):
        probability += mass
        mass = np.bincount(target.astype(int), weights=mass[source.astype(int)] * share, minlength=n_beliefs)
    probability += mass
    return probability / probability.sum()


def _gathered(
    graph: StateGraph, longest: int, beliefs: list[_Belief], probability: Float64[np.ndarray, " belief"]
) -> RandomPlay:
    entries = [(n, state, chance) for n, belief in enumerate(beliefs) for state, chance in belief]
    return RandomPlay(
        n_beliefs=len(beliefs),
        longest=longest,
        probability=probability,
        frame_id=graph.frame_id[[belief[0][0] for belief in beliefs]],
        belief=np.array([n for n, _, _ in entries]),
        state=np.array([state for _, state, _ in entries]),
        chance=np.array([chance for _, _, chance in entries]),
    )
