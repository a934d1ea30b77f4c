"""How many states machines need: of a model asked two returns, of controls, and of the world's own policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from jaxtyping import Int64

from dtinterp.equivalence.machines.learning import learn_machine
from dtinterp.equivalence.machines.lower_bound import plays_apart
from dtinterp.equivalence.machines.machine import PolicyMachine, SeenPlays
from dtinterp.foundation.jobs.job_cache import JobCache, Piece
from dtinterp.foundation.seeding import numpy_generator
from environments.graph.enumeration import number_rows
from environments.graph.plays import PlayTree
from environments.graph.state_graph import StateGraph

SET_OF_OPTIMAL = "world: the set of optimal actions"
ONE_OPTIMAL = "world: one optimal action"
MODEL_WHERE_OPTIMAL = "world: the model's action where it is optimal"


@dataclass(frozen=True, eq=False)
class MachineLesson:
    """What a machine is to be learned from."""

    policy: str
    seen: SeenPlays
    label: Int64[np.ndarray, " seen"]
    n_tries: int
    """sets of plays that are grown for the lower bound; 0 gives none"""
    order: int = 0
    """which of several orders RPNI takes the plays in"""


@dataclass(frozen=True)
class MachineSize:
    """The states of the machine that was learned, and those that any machine needs."""

    policy: str
    horizon: int
    """the most actions of a play"""
    n_plays: int
    """different sequences of actions and observations"""
    n_outputs: int
    n_states: int
    at_least: int
    """plays that are told apart pairwise: no machine that agrees with all plays has fewer states"""


@dataclass(frozen=True, eq=False)
class LearnedMachine:
    """A machine, and plays that need a state each."""

    lesson: MachineLesson
    machine: PolicyMachine
    apart: Int64[np.ndarray, " play"]

    @property
    def size(self) -> MachineSize:
        """Its states, with those that any machine needs."""
        seen, label = self.lesson.seen, self.lesson.label
        n_outputs = len(np.unique(label))
        n_states, at_least = self.machine.n_states, len(self.apart)
        return MachineSize(self.lesson.policy, seen.horizon, len(seen), n_outputs, n_states, at_least)


def learn_all(
    lessons: Sequence[MachineLesson], graph: StateGraph, *, seed: int, cache: JobCache
) -> list[LearnedMachine]:
    """Learn a machine from each lesson; those that an interrupted call learned are not learned anew."""
    jobs = {f"{index:04d}": lesson for index, lesson in enumerate(lessons)}
    work = partial(_learned, n_actions=graph.n_actions, n_frames=len(graph.frames), seed=seed)
    pieces = cache.done("learning machines", jobs, work)
    return [_machine(lesson, piece, graph.n_actions) for lesson, piece in zip(lessons, pieces, strict=True)]


def _learned(lesson: MachineLesson, *, n_actions: int, n_frames: int, seed: int) -> Piece:
    orders = numpy_generator(seed, f"machine/order {lesson.order}")
    machine = learn_machine(lesson.seen, lesson.label, n_actions=n_actions, n_frames=n_frames, generator=orders)
    tries = numpy_generator(seed, "machine/lower bound")
    apart = np.zeros(0, dtype=np.int64)
    if lesson.n_tries:
        apart = plays_apart(lesson.seen, lesson.label, generator=tries, n_tries=lesson.n_tries)
    named = {field.name: getattr(machine, field.name) for field in fields(machine) if field.name != "n_actions"}
    return {**named, "apart": torch.from_numpy(apart)}


def _machine(lesson: MachineLesson, piece: Mapping[str, torch.Tensor], n_actions: int) -> LearnedMachine:
    named = {name: value for name, value in piece.items() if name != "apart"}
    return LearnedMachine(lesson, PolicyMachine(**named, n_actions=n_actions), piece["apart"].numpy())


def at_each_horizon(
    policy: str, seen: SeenPlays, label: Int64[np.ndarray, " seen"], *, n_tries: int
) -> list[MachineLesson]:
    """Return the lessons of a policy from plays of up to 1, 2, … actions."""
    parts = [seen.until(horizon) for horizon in range(1, seen.horizon + 1)]
    return [MachineLesson(policy, part, label[: len(part)], n_tries) for part in parts]


def world_labels(
    graph: StateGraph, tree: PlayTree, seen: SeenPlays, model: Int64[np.ndarray, " seen"]
) -> dict[str, Int64[np.ndarray, " seen"]]:
    """Return what the world says is best after each play: the actions that begin a shortest way to success.

    After plays that look alike and lead to different states, the actions count that are best after most of them.
    """
    votes = np.zeros((len(seen), graph.n_actions), dtype=np.int64)
    np.add.at(votes, seen.of_history, graph.optimal[tree.state[: len(seen.of_history)]])
    is_best = votes == votes.max(1, keepdims=True)
    first = is_best.argmax(1)
    agrees = is_best[np.arange(len(seen)), model]
    return {
        SET_OF_OPTIMAL: number_rows(is_best).astype(np.int64),
        ONE_OPTIMAL: first,
        MODEL_WHERE_OPTIMAL: np.where(agrees, model, first),
    }


def relabelled(
    seen: SeenPlays, label: Int64[np.ndarray, " seen"], generator: np.random.Generator
) -> Int64[np.ndarray, " seen"]:
    """Return the labels handed out anew, at random, among plays of equal length."""
    return np.concatenate([generator.permutation(label[level]) for level in seen.levels])
