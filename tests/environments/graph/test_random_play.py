from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pytest

from environments.graph.beliefs import reachable_beliefs
from environments.graph.enumeration import CONTINUES
from environments.graph.random_play import random_play
from environments.graph.state_graph import StateGraph, state_graph

STATIC, UNSURE = "MiniGrid-MemoryS7FixedStartStatic-v0", "MiniGrid-MemoryS7-v0"
"""A world whose first frame tells the state, and one in which frames are shared by several starts."""


Belief = tuple[tuple[int, float], ...]
Plays = Mapping[tuple[int, ...], Sequence[tuple[int, float]]]
"""What was seen and done, with the states it may have led to and how likely each play is."""


def _one_action_longer(graph: StateGraph, plays: Plays) -> Plays:
    longer: defaultdict[tuple[int, ...], list[tuple[int, float]]] = defaultdict(list)
    ends = [(history, *end) for history, ends in plays.items() for end in ends]
    for (history, state, chance), action in product(ends, range(graph.n_actions)):
        if graph.outcome[state, action] == CONTINUES:
            after = int(graph.next_state[state, action])
            longer[(*history, action, int(graph.frame_id[after]))].append((after, chance / graph.n_actions))
    return longer


def _believed(ends: Sequence[tuple[int, float]]) -> tuple[Belief, float]:
    weight = sum(chance for _, chance in ends)
    belief: defaultdict[int, float] = defaultdict(float)
    for state, chance in ends:
        belief[state] += chance / weight
    return tuple(sorted((state, round(chance, 9)) for state, chance in belief.items())), weight


def _by_hand(graph: StateGraph, longest: int) -> dict[Belief, float]:
    """Every start and every sequence of actions, one by one."""
    begun: defaultdict[tuple[int, ...], list[tuple[int, float]]] = defaultdict(list)
    for state, chance in zip(graph.start.tolist(), graph.start_probability.tolist(), strict=True):
        begun[(int(graph.frame_id[state]),)].append((state, chance))
    plays, found = begun, defaultdict(float)
    for _ in range(longest + 1):
        for belief, weight in map(_believed, plays.values()):
            found[belief] += weight
        plays = _one_action_longer(graph, plays)
    return {belief: weight / sum(found.values()) for belief, weight in found.items()}


@pytest.mark.parametrize("env_id", [STATIC, UNSURE])
def test_beliefs_and_their_chances_are_those_of_all_plays_followed_one_by_one(env_id: str) -> None:
    graph = state_graph(env_id)
    play = random_play(graph, 3)
    found: dict[Belief, float] = {}
    for n, probability in enumerate(play.probability):
        mine = play.belief == n
        states, chances = play.state[mine].tolist(), play.chance[mine].round(9).tolist()
        assert set(graph.frame_id[states]) == {play.frame_id[n]}
        found[tuple(sorted(zip(states, chances, strict=True)))] = float(probability)
    assert found == pytest.approx(_by_hand(graph, 3))


def test_long_plays_leave_every_belief_that_any_history_leaves() -> None:
    graph = state_graph(UNSURE)
    play = random_play(graph, 30)
    states = [tuple(play.state[play.belief == n].tolist()) for n in range(len(play.probability))]
    assert set(states) == set(reachable_beliefs(graph))
    assert any(len(each) > 1 for each in states)
    assert play.probability.sum() == pytest.approx(1)
    assert play.probability.min() > 0


def test_the_mean_of_a_column_is_that_of_the_states_that_are_believed_possible() -> None:
    graph = state_graph(UNSURE)
    play = random_play(graph, 2)
    values = np.random.default_rng(0).normal(size=(graph.n_states, 2))
    wide = int(np.argmax(np.bincount(play.belief)))
    mine = play.belief == wide
    expected = (play.chance[mine, None] * values[play.state[mine]]).sum(0)
    assert play.mean(values)[wide] == pytest.approx(expected)


def test_without_an_action_there_are_only_starts_and_fewer_are_refused() -> None:
    graph = state_graph(STATIC)
    assert sorted(random_play(graph, 0).state.tolist()) == sorted(graph.start.tolist())
    with pytest.raises(ValueError, match="plays are of up to -1 actions, expected 0 or more"):
        random_play(graph, -1)
