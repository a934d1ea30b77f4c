"""Extraction of a policy's machine: plays into a machine with its bounds, tests and controls."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.samplers import Greedy, Temperature
from dtinterp.equivalence.machines.certificate_beside import certificate_beside
from dtinterp.equivalence.machines.fresh_plays import (
    Agrees,
    FreshPlays,
    MachineTest,
    any_of,
    by_length,
    drawn_by,
    is_near,
    played,
    says_the_action,
)
from dtinterp.equivalence.machines.machine import PolicyMachine, SeenPlays, seen_plays
from dtinterp.equivalence.machines.observations_told_apart import observation_verdicts
from dtinterp.equivalence.machines.quantised_outputs import QuantisedOutputs, quantised
from dtinterp.equivalence.machines.report import FinerMachine, MachineConfig, MachineReport
from dtinterp.equivalence.machines.returns import machine_return
from dtinterp.equivalence.machines.sizes import (
    LearnedMachine,
    MachineLesson,
    at_each_horizon,
    learn_all,
    relabelled,
    world_labels,
)
from dtinterp.equivalence.plays.policy_tree import PolicyTree, model_asked, policy_tree
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.returns.expectation import expectation
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject
from environments.graph.plays import MOVES, ROOT, count_histories
from environments.graph.state_graph import StateGraph

MODEL, UNTRAINED, RELABELLED = "model", "untrained model", "model, relabelled"
"""How policies are called; what the model is asked stands beside it."""
LEARNED = "learned from: all plays of up to"
N_TRIES, N_TRIES_BESIDE = 200, 40
"""Sets of plays that are grown for the lower bound of the machine, and of those beside it."""


def asked_name(policy: str, target_return: float) -> str:
    """Return what a policy is called that is asked for a return."""
    return f"{policy}, asked {target_return:g}"


def extract_machine(
    subject: Subject, config: MachineConfig = MachineConfig(), *, cache: JobCache = NO_CACHE
) -> MachineReport:
    """Learn the machine of the subject's model, an untrained one beside it as control.

    Raises `UserError` where the states of the world cannot be enumerated, where its plays do not fit, and for a return
    that no play can reach.
    """
    if subject.graph is None:
        env_id = subject.trajectories.env_id
        raise UserError(
            f"a machine is learned from all plays, and the states of {env_id} cannot be enumerated: give a model of "
            "one of the Memory worlds."
        )
    return Extraction(subject.model, subject.untrained, subject.graph, config, cache).report()


def with_certificate(found: MachineReport, classes: EquivalenceReport, source: Artefact) -> MachineReport:
    """Return the report with certified classes of the same model beside it."""
    table = FrameTable(found.frames, found.env_id)
    beside = certificate_beside(found.machine, found.observations, table, classes, source.name)
    return replace(found, certificate=beside)


@dataclass(frozen=True)
class Extraction:
    """A model in its world, an untrained one beside it, and which plays."""

    model: DecisionTransformer
    untrained: DecisionTransformer
    graph: StateGraph
    config: MachineConfig
    cache: JobCache = NO_CACHE

    def report(self) -> MachineReport:
        """Learn, bound, test and compare. Raises `UserError` for plays that do not fit, or a return out of reach."""
        self._refuse()
        own = [
            MachineLesson(self._name, self._seen, self._label, N_TRIES * (order == 0), order)
            for order in range(self.config.n_orders)
        ]
        beside = list(self._lessons_beside())
        finer = self._quantised and MachineLesson("finer", self._few, self._quantised.label, N_TRIES_BESIDE)
        lessons = [*own, *beside, *([finer] if finer else [])]
        learned = learn_all(lessons, self.graph, seed=self.config.seed, cache=self.cache)
        mine, others = learned[: len(own)], learned[len(own) : len(own) + len(beside)]
        best = replace(min(mine, key=lambda each: each.machine.n_states), apart=mine[0].apart)
        machine = best.machine
        machines = [machine, *(each.machine for each in mine if each.machine is not machine)]
        shown = torch.from_numpy(np.unique(self._seen.frame_id))
        return MachineReport(
            env_id=self.graph.env_id,
            config=self.config,
            frames=torch.tensor(self.graph.frames),
            machine=machine,
            is_own=self._own(machine),
            apart=torch.from_numpy(best.apart),
            n_states_by_order=tuple(each.machine.n_states for each in mine),
            tests=tuple(self._tests(machine, says_the_action(machine), self.config.horizon)),
            returns=machine_return(machine, self.graph, machine.chances()),
            model_return=self._model_return(),
            observations=observation_verdicts(machines, shown),
            sizes=(best.size, *(each.size for each in others)),
            finer=self._finer(learned[-1]) if finer else None,
        )

    @property
    def _name(self) -> str:
        return asked_name(MODEL, self.config.target_return)

    def _refuse(self) -> None:
        graph, config = self.graph, self.config
        steps = graph.steps_to_success[graph.start]
        best = 1 - 0.9 * int(steps[steps > 0].min(initial=graph.max_steps)) / graph.max_steps
        for asked in (config.target_return, *config.also_asked):
            if not 0 <= asked <= best + 1e-9:
                raise UserError(
                    f"the return asked is {asked:g}, and no play of {graph.env_id} returns more than {best:g} or less "
                    f"than 0: ask for a return from 0 to {best:g}."
                )
        counts = self._counts(config.horizon)
        if counts[-1] > config.most_histories:
            fits = int((counts <= config.most_histories).sum()) - 1
            works = f"the longest that fits is {fits}" if fits > 0 else "none fits"
            raise UserError(
                f"plays of up to {config.horizon} actions in {graph.env_id} are {counts[-1]:,} histories, more than "
                f"most_histories, {config.most_histories:,}: {works}; give a shorter --horizon, or allow more."
            )

    def _counts(self, horizon: int) -> Int64[np.ndarray, " horizon"]:
        """Return how many histories plays of up to 0, 1, … actions have."""
        counted = zip(range(horizon + 1), count_histories(self.graph, self._actions), strict=False)
        return np.cumsum([n for _, n in counted])

    @property
    def _actions(self) -> range | tuple[int, ...]:
        return MOVES if self.config.actions == "moves" else range(self.graph.n_actions)

    @cached_property
    def _longer(self) -> PolicyTree:
        """The model's policy on the plays that the machine is learned from, and on longer ones as far as they fit."""
        counts = self._counts(self.config.horizon + self.config.n_longer)
        horizon = max(self.config.horizon, int((counts <= self.config.most_histories).sum()) - 1)
        return policy_tree(
            self.model, self.graph, replace(self.config, horizon=horizon), cache=self.cache.about("tree")
        )

    @cached_property
    def _longer_seen(self) -> SeenPlays:
        return seen_plays(self._longer.tree, self._longer.frame_id.numpy())

    @cached_property
    def _seen(self) -> SeenPlays:
        return self._longer_seen.until(self.config.horizon)

    @cached_property
    def _label(self) -> Int64[np.ndarray, " seen"]:
        return self._greedy(self._longer)

    def _greedy(self, tree: PolicyTree) -> Int64[np.ndarray, " seen"]:
        """Return what a policy does after each play up to the horizon."""
        return tree.logits[torch.from_numpy(self._seen.first_history())].argmax(-1).numpy()

    @cached_property
    def _few(self) -> SeenPlays:
        return self._seen.until(self.config.finer_horizon)

    @cached_property
    def _quantised(self) -> QuantisedOutputs | None:
        chosen = torch.from_numpy(self._few.first_history())
        return quantised(self._longer.logits[chosen], self.config.epsilon) if self.config.epsilon else None

    def _lessons_beside(self) -> Iterator[MachineLesson]:
        """Yield the lessons of shorter plays, other returns, and controls; no machine but the first is used."""
        yield from at_each_horizon(self._name, self._seen, self._label, n_tries=N_TRIES_BESIDE)[:-1]
        for asked in self.config.also_asked:
            yield from self._others(asked_name(MODEL, asked), self.model, asked)
        yield from self._others(
            asked_name(UNTRAINED, self.config.target_return), self.untrained, self.config.target_return
        )
        for name, label in world_labels(self.graph, self._longer.tree, self._seen, self._label).items():
            yield from at_each_horizon(name, self._seen, label, n_tries=N_TRIES_BESIDE)
        few = self._seen.until(self.config.relabelled_horizon)
        for draw in range(self.config.n_relabelled):
            rng = numpy_generator(self.config.seed, f"machine/relabelled {draw}")
            yield MachineLesson(RELABELLED, few, relabelled(few, self._label[: len(few)], rng), N_TRIES_BESIDE)

    def _others(self, name: str, model: DecisionTransformer, asked: float) -> list[MachineLesson]:
        tree = policy_tree(
            model, self.graph, replace(self.config, target_return=asked), cache=self.cache.about(f"tree of {name}")
        )
        return at_each_horizon(name, self._seen, self._greedy(tree), n_tries=N_TRIES_BESIDE)

    def _own(self, machine: PolicyMachine) -> Bool[Tensor, " transition"]:
        """Return which transitions are taken where the policy acts greedily from a start, up to the horizon."""
        seen, state = self._seen, machine.states_at(self._seen)
        is_own = seen.parent == ROOT
        taken = np.zeros(machine.next_state.shape, dtype=bool)
        for level in seen.levels[1:]:
            before = seen.parent[level]
            is_own[level] = is_own[before] & (seen.action[level] == self._label[before])
            played_on = np.flatnonzero(is_own[level]) + level.start
            taken[state[seen.parent[played_on]], seen.action[played_on], seen.frame_id[played_on]] = True
        return torch.from_numpy(taken)[machine.origin, machine.action, machine.frame_id]

    def _model_return(self) -> float:
        found = expectation(self.model, self.graph, Greedy(), target_return=self.config.target_return)
        return found.expected_return

    def _finer(self, learned: LearnedMachine) -> FinerMachine:
        assert self._quantised is not None
        machine, by_class = learned.machine, self._quantised.chances
        chances = by_class[machine.output.numpy()]
        return FinerMachine(
            self.config.epsilon,
            replace(learned.size, policy=self._name),
            tuple(self._tests(machine, is_near(chances, self.config.epsilon), self._few.horizon)),
            machine_return(machine, self.graph, chances),
        )

    def _tests(self, machine: PolicyMachine, agrees: Agrees, horizon: int) -> Iterator[MachineTest]:
        """Yield the tests on the plays up to the horizon, on all longer ones, on random ones and the model's own."""
        seen, n_slots = self._longer_seen, self.model.cfg.n_slots
        logits = self._longer.logits[torch.from_numpy(seen.first_history())]
        every = FreshPlays(seen, logits, np.arange(len(seen.of_history)))
        time = seen.time[seen.of_history]
        known = every.test(f"{LEARNED} {horizon} actions", machine, agrees, time <= horizon)
        longer = (
            every.test(f"all plays of {length} actions", machine, agrees, time == length)
            for length in range(horizon + 1, seen.horizon + 1)
        )
        yield from (found for found in (known, *longer) if found is not None)
        for name, fresh in self._fresh.items():
            yield from by_length(name, fresh, machine, agrees, n_slots)

    @cached_property
    def _fresh(self) -> dict[str, FreshPlays]:
        if not self.config.n_plays:
            return {}
        asked = model_asked(self.model, self.graph, self.config.target_return)
        seed, counts = self.config.seed, {"n_plays": self.config.n_plays, "n_steps": self.config.n_steps}
        return {
            "random plays": played(
                asked,
                self.graph,
                any_of(self._actions, generator(seed, "machine/random actions")),
                rng=numpy_generator(seed, "machine/random starts"),
                **counts,
            ),
            "the model's plays at temperature 1": played(
                asked,
                self.graph,
                drawn_by(Temperature(1.0), generator(seed, "machine/own actions")),
                rng=numpy_generator(seed, "machine/own starts"),
                **counts,
            ),
        }
