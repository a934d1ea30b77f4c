"""Learning of a policy's machine from plays, by AALpy's RPNI, until it agrees with every one of them."""

import numpy as np
import torch
from jaxtyping import Bool, Int64

from dtinterp.equivalence.machines.machine import NO_STATE, PolicyMachine, SeenPlays
from environments.graph.plays import ROOT

MOST_TAUGHT = 50_000
"""Plays that RPNI is given at first; of more, it is given the shortest, and then those that it is wrong about."""


def learn_machine(
    seen: SeenPlays,
    label: Int64[np.ndarray, " seen"],
    *,
    n_actions: int,
    n_frames: int,
    generator: np.random.Generator,
    most_taught: int = MOST_TAUGHT,
) -> PolicyMachine:
    """Return a machine whose output after each play is the play's label.

    RPNI (Oncina and García 1992, "Inferring regular languages in polynomial update time") merges the states of the
    plays' prefix tree as long as no play is contradicted, in an order that the generator draws. It is taught the whole
    tree, or, where that is larger than `most_taught`, its shortest plays; then the tree is the equivalence oracle, and
    plays that the machine gets wrong are taught, too, twice as many plays in each round, until it gets none wrong. The
    machine is consistent with all plays, and not always the smallest one that is.
    """
    if len(label) != len(seen):
        raise ValueError(f"{len(seen)} plays have {len(label)} labels")
    order, words = generator.permutation(len(seen)), _words(seen, n_frames)
    is_taught = np.arange(len(seen)) < most_taught
    while True:
        machine = _rpni(words, label, order[is_taught[order]], n_actions=n_actions, n_frames=n_frames)
        wrong = np.flatnonzero(_outputs(machine, seen) != label)
        if not len(wrong):
            return _numbered(machine, seen)
        _teach(is_taught, wrong[: int(is_taught.sum())], seen)


def _teach(is_taught: Bool[np.ndarray, " seen"], wrong: Int64[np.ndarray, " wrong"], seen: SeenPlays) -> None:
    """Add plays and all their beginnings to those that are taught."""
    if is_taught[wrong].all():
        raise ValueError("RPNI returned a machine that contradicts what it was taught")
    while len(wrong):
        is_taught[wrong] = True
        wrong = seen.parent[wrong]
        wrong = wrong[wrong != ROOT]
        wrong = wrong[~is_taught[wrong]]


def _words(seen: SeenPlays, n_frames: int) -> list[tuple[int, ...]]:
    """Return each play as inputs; (action, frame) is one number, and the action before a start is -1."""
    symbols = (seen.action * n_frames + seen.frame_id).tolist()
    words: list[tuple[int, ...]] = []
    for parent, symbol in zip(seen.parent.tolist(), symbols, strict=True):
        words.append((*(() if parent == ROOT else words[parent]), symbol))
    return words


def _rpni(
    words: list[tuple[int, ...]],
    label: Int64[np.ndarray, " seen"],
    taught: Int64[np.ndarray, " taught"],
    *,
    n_actions: int,
    n_frames: int,
) -> PolicyMachine:
    from aalpy import MooreMachine, run_RPNI  # here, so that whoever learns no machine does not import it

    found = run_RPNI([(words[play], int(label[play])) for play in taught], "moore", print_info=False)
    if not isinstance(found, MooreMachine):
        raise ValueError("plays that look alike have different labels, so no machine tells them")
    number = {state.state_id: index for index, state in enumerate(found.states)}
    rows = [
        (number[state.state_id], *divmod(symbol, n_frames), number[target.state_id])
        for state in found.states
        for symbol, target in state.transitions.items()
    ]
    inputs = torch.tensor(rows).reshape(-1, 4)
    is_start = inputs[:, 1] == ROOT
    start = torch.full((n_frames,), NO_STATE)
    start[inputs[is_start, 2]] = inputs[is_start, 3]
    output = torch.tensor([NO_STATE if state.output is None else state.output for state in found.states])
    return PolicyMachine(start, output, *inputs[~is_start].T.contiguous(), n_actions=n_actions)


def _outputs(machine: PolicyMachine, seen: SeenPlays) -> Int64[np.ndarray, " seen"]:
    state = machine.states_at(seen)
    return np.where(state == NO_STATE, NO_STATE, machine.output.numpy()[state])


def _numbered(machine: PolicyMachine, seen: SeenPlays) -> PolicyMachine:
    """Number the states in the order in which plays reach them, and leave off what none reaches."""
    reached = machine.states_at(seen)
    states, first = np.unique(reached, return_index=True)
    order = states[np.argsort(first)]
    number = np.full(machine.n_states, NO_STATE)
    number[order] = np.arange(len(order))
    new = torch.from_numpy(number)
    kept = (new[machine.origin] != NO_STATE) & (new[machine.target] != NO_STATE)
    rows = torch.stack(
        [new[machine.origin], machine.action, machine.frame_id, new[machine.target]],
    )[:, kept]
    sorted_rows = rows[:, np.lexsort(rows[:3].numpy()[::-1])]
    start = torch.where(machine.start == NO_STATE, NO_STATE, new[machine.start])
    output = machine.output[torch.from_numpy(order)]
    return PolicyMachine(start, output, *sorted_rows.contiguous(), n_actions=machine.n_actions)
