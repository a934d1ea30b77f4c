"""Exact expected return of a machine as a policy: the world's states and the machine's, walked together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine
from environments.graph.enumeration import CONTINUES, SUCCESS
from environments.graph.state_graph import StateGraph


@dataclass(frozen=True)
class MachineReturn:
    """What a machine achieves on average over the starts of a world, with no episode played."""

    expected_return: float
    success: float
    """the probability that an episode ends with success"""
    failure: float
    """the probability that it ends otherwise before the time limit"""
    unknown: float
    """the probability that an episode shows the machine an input that no play showed, after which it stays in its
    state"""


def machine_return(
    machine: PolicyMachine, graph: StateGraph, chances: Float64[np.ndarray, "state action"]
) -> MachineReturn:
    """Return what is achieved by drawing an action from its state's chances at every step.

    Probability flows over triples of a state of the world, a state of the machine, and whether an input was unknown.
    """
    shape = (graph.n_states, machine.n_states, 2)
    returned = success = failure = 0.0
    frame = graph.frame_id[graph.start]
    first = machine.start.numpy()[frame]
    mass = np.zeros(shape)
    is_unknown = first == NO_STATE
    np.add.at(mass, (graph.start, np.maximum(first, 0), is_unknown.astype(int)), graph.start_probability)
    unknown = 0.0
    for time in range(1, graph.max_steps + 1):
        world, state, has_met = np.nonzero(mass)
        flow = mass[world, state, has_met, None] * chances[state]  # triple action
        outcome = graph.outcome[world]
        succeeded, failed = outcome == SUCCESS, (outcome != CONTINUES) & (outcome != SUCCESS)
        returned += flow[succeeded].sum() * (1 - 0.9 * (time / graph.max_steps))
        success, failure = success + flow[succeeded].sum(), failure + flow[failed].sum()
        unknown += float(flow[outcome != CONTINUES][np.repeat(has_met, (outcome != CONTINUES).sum(1)) == 1].sum())
        triple, action = np.nonzero((outcome == CONTINUES) & (flow > 0))
        after = graph.next_state[world[triple], action]
        led = machine.next_state[state[triple], action, graph.frame_id[after]]
        met = has_met[triple] | (led == NO_STATE)
        led = np.where(led == NO_STATE, state[triple], led)
        mass = np.zeros(shape)
        np.add.at(mass, (after, led, met.astype(int)), flow[triple, action])
    unknown += float(mass[..., 1].sum())
    return MachineReturn(float(returned), float(success), float(failure), unknown)
