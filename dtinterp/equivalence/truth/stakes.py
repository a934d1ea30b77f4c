"""What is at stake between two observations: the return lost by acting once at one as is right at the other.

Histories are those of random play, `environments.graph.random_play`; what counts of a history h is the belief β(h) that
it leaves. With d(x) the fewest steps from state x to success and T the time limit, v(x) = 1 − 0.9 d(x)/T (0 where there
is no way), and Q(x, u) what is left of it after action u, an action is worth the mean of what it is worth in the states
that are believed possible (QMDP: Littman, Cassandra and Kaelbling 1995, "Learning policies for partially observable
environments", section 4.1), so that in a belief

    Q(β, u) = E[Q(x, u) | x ~ β],    U(β) = argmax_u Q(β, u),    lost(β, u) = max_u' Q(β, u') − Q(β, u)

and acting as is right under the belief loses nothing. With H(a) the histories that end in a, those that can still be
paid for where they are imitated,

    s(a → b) = E[lost(β(h), u) | h ~ H(a), g ~ H(b), u ~ U(β(g))]

A picture that hides several beliefs has an s(a → a) above 0: what is right in one history is wrong in another, and that
is nothing that telling a from b could mend. So it is taken off, and at stake in a direction is what is left above 0:

    stake(a → b) = max(s(a → b) − s(a → a), 0)

The stake of a pair is the larger of both directions; of an observation and itself it is 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64
from torch import Tensor

from environments.graph.enumeration import CONTINUES, NOWHERE, SUCCESS, number_rows
from environments.graph.random_play import RandomPlay
from environments.graph.state_graph import StateGraph

DIGITS = 9
"""Decimals of a return; what is beyond is rounding, and nothing lost."""


@dataclass(frozen=True)
class Stakes:
    """What is at stake between frames, in histories of random play."""

    longest: int
    """actions of these histories"""
    between: Float64[np.ndarray, "frame frame"]
    """of each pair, its own stakes taken off; 0 where one of the two is never met"""
    own: Float64[np.ndarray, " frame"]
    """s(a → a), which was taken off"""
    right: Int32[np.ndarray, " frame"]
    """frames whose histories have the same sets of right actions are labelled alike"""
    is_met: Bool[np.ndarray, " frame"]
    """whether some history ends in it"""


def stakes_of(graph: StateGraph, place: Int64[Tensor, " frame"], play: RandomPlay) -> Stakes:
    """Return the stakes between frames, whose places in the graph are given."""
    worth = play.mean(_worth(graph))  # belief action
    best = worth.max(1, keepdims=True)
    lost = best - worth
    right = (lost < 10**-DIGITS) & (best > 0)
    shares = right / np.maximum(right.sum(1, keepdims=True), 1)
    ends = play.frame_id == place.numpy()[:, None]  # frame belief
    raw = _mean(ends, play, lost) @ _mean(ends & right.any(1), play, shares).T
    own = raw.diagonal().round(DIGITS)
    one_way = np.maximum(raw - own[:, None], 0)
    return Stakes(
        longest=play.longest,
        between=np.maximum(one_way, one_way.T).round(DIGITS),
        own=own,
        right=_same_right(ends, right),
        is_met=ends.any(1),
    )


def _worth(graph: StateGraph) -> Float64[np.ndarray, "state action"]:
    """Return what is left of the return after each action, taken once in each state."""
    reaches = graph.steps_to_success != NOWHERE
    value = np.where(reaches, 1 - 0.9 * graph.steps_to_success / graph.max_steps, 0.0)
    step = 0.9 / graph.max_steps
    after = value[np.where(graph.next_state == NOWHERE, 0, graph.next_state)]
    goes_on = (graph.outcome == CONTINUES) & (after > 0)
    return np.select([graph.outcome == SUCCESS, goes_on], [1 - step, after - step], 0.0)


def _mean(
    ends: Bool[np.ndarray, "frame belief"], play: RandomPlay, values: Float64[np.ndarray, "belief action"]
) -> Float64[np.ndarray, "frame action"]:
    """Return the mean over the histories that end in each frame; 0 where none does."""
    weight = ends * play.probability
    total = weight.sum(1, keepdims=True)
    return weight @ values / np.where(total > 0, total, 1)


def _same_right(
    ends: Bool[np.ndarray, "frame belief"], right: Bool[np.ndarray, "belief action"]
) -> Int32[np.ndarray, " frame"]:
    actions = number_rows(right)
    is_right = np.zeros((len(ends), actions.max() + 1), dtype=bool)
    frame, belief = np.nonzero(ends)
    is_right[frame, actions[belief]] = True
    return number_rows(is_right)
