"""A model and its held-out data become the observations that it treats alike, certified."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.acted import Acted, Exchange, Stage, act_on
from dtinterp.equivalence.agreement import Agreement, compare
from dtinterp.equivalence.certificates import Certificate, certificates
from dtinterp.equivalence.classes import Partition, check_epsilon, classes, classes_of_count, partition_of
from dtinterp.equivalence.contexts import draw_contexts
from dtinterp.equivalence.frames import ChosenFrames, most_visited
from dtinterp.equivalence.quotient import Behaviour, Judge, Trial, representatives
from dtinterp.equivalence.reach import Reachable, frames_that_could_stand, reachable, steps_of_equals
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.scrutiny import Bench, Effort, Scrutiny, at_once, put_to_the_test
from dtinterp.equivalence.stability import stability
from dtinterp.equivalence.swaps import Swaps, summed
from dtinterp.equivalence.trials import Trials, layer_of, try_swaps
from dtinterp.equivalence.worlds import places, world_partitions
from dtinterp.foundation.ranges import require_at_least
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.expectation import Altered, expectation
from dtinterp.model.transformer import DecisionTransformer
from environments.graph.evaluation import Expectation
from environments.graph.state_graph import StateGraph, state_graph

N_HALVES = 20
"""Times that contexts are halved, to see how far classes depend on which were drawn."""


@dataclass(frozen=True)
class EquivalenceConfig:
    """How equivalence is certified; the work grows with n_frames² × n_contexts."""

    n_frames: int = 96
    """observations compared, each with each other: the most visited on the held-out side"""
    n_contexts: int = 8
    """held-out contexts per observation, from ones that end at it to ones that go on as long as a window can"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart, in any context tried; at 0.05
    no action's probability moves by more than 0.262"""
    n_draws: int = 200
    """random classes of equal sizes per comparison, and random halves of the observations for its interval"""
    target_return: float = 0.892
    """return asked of the model when it acts on its classes instead of its observations"""
    n_quotient_draws: int = 10
    """random classes of equal sizes that it acts on, per partition"""
    site: str = OBSERVATION_EMBEDDING
    """where an observation is swapped: its embedding, or the residual stream at its token"""
    only_reachable: bool = False
    """only contexts in which each of the observations compared could truly stand: after all that came before, the world
    might have shown any of them; without it such swaps are reported apart"""
    n_rounds: int = 4
    """times that classes are tried in fresh contexts and split by counterexample; 0 leaves them as they were formed"""
    n_fresh: int = 4
    """contexts per observation in each of these rounds"""
    n_verified: int = 8
    """contexts per observation, used for nothing before, that bounds and controls rest on; 0 gives none"""
    n_episodes: int = 0
    """episodes that the model, and an agent where one is given, play on the classes at temperature 1, all from the same
    starts with the same luck; 0 plays none"""
    seed: int = 0
    """seed of contexts, controls and episodes"""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(self, 1, "n_contexts", "n_draws", "n_quotient_draws", "n_fresh")
        require_at_least(self, 0, "n_rounds", "n_verified", "n_episodes")


@dataclass(frozen=True)
class Comparison:
    """The model's classes against one partition of the world, with a model that learned nothing as control."""

    world: str
    """name of the world's partition"""
    trained: Agreement
    untrained: Agreement
    """an untrained model's classes, as many as the trained model's"""
    untrained_at_epsilon: Agreement
    """an untrained model's classes at the same epsilon: often a single one, since little moves it"""


@dataclass(frozen=True)
class EquivalenceReport:
    """Which observations a model treats alike, with what was tried to tell them apart."""

    env_id: str
    config: EquivalenceConfig
    chosen: ChosenFrames
    frames: UInt8[Tensor, "frame view view 3"]
    """what the chosen frames show"""
    swaps: Swaps
    partition: Partition
    """classes of the chosen frames at the config's epsilon, refined by counterexample"""
    certificates: tuple[Certificate, ...]
    """one per class"""
    untrained: Relation
    """what the same swaps in the same contexts did to an untrained model"""
    worlds: tuple[Partition, ...]
    """the world's own partitions of the chosen frames"""
    comparisons: tuple[Comparison, ...]
    """one per partition of the world"""
    behaviour: Behaviour
    """what the model earns when its observations are exchanged for their classes' representatives"""
    scrutiny: Scrutiny | None = None
    """what was tried beyond these swaps; None in what was written before it was tried"""
    acted: tuple[Acted, ...] = ()
    """what players that draw their actions earn on the classes, intact first; empty where no episodes were played"""

    @cached_property
    def relation(self) -> Relation:
        """The model's divergences, both directions together."""
        return self.swaps.relation("interchangeable")

    @property
    def n_contexts(self) -> int:
        """Distinct held-out contexts."""
        return int(self.swaps.n_contexts.sum())

    @property
    def n_swaps(self) -> int:
        """Windows in which one frame stood in for another."""
        return self.n_contexts * (len(self.chosen.frame_id) - 1)

    @property
    def n_decisions(self) -> int:
        """Pairs of action distributions that were compared."""
        return int(self.swaps.n_decisions.sum()) * (len(self.chosen.frame_id) - 1)


def certify(bench: Bench, config: EquivalenceConfig) -> EquivalenceReport:
    """Swap observations in held-out contexts, join those that can stand in for each other, and compare with the world.

    Two passes over n_frames² × n_contexts windows; swaps that the bench's ledger has are not made again. Raises
    `UserError` where nothing was held out.
    """
    model, trajectories, ledger = bench.model, bench.trajectories, bench.ledger
    graph = state_graph(trajectories.env_id)
    if config.only_reachable:
        table = places(graph, trajectories.frames)
        bench = replace(bench, steps=steps_of_equals(graph, trajectories, bench.steps, table=table))
    chosen = most_visited(trajectories, bench.steps, config.n_frames)
    contexts = draw_contexts(
        trajectories,
        bench.steps,
        frame_id=chosen.frame_id,
        n_contexts=config.n_contexts,
        n_slots=model.cfg.n_slots,
        generator=generator(config.seed, "equivalence/contexts"),
    )
    swapped = {"items": bench.items, "frame_id": chosen.frame_id, "site": config.site}
    trials = try_swaps(model, contexts, **swapped, ledger=ledger.about("trained"))
    controls = try_swaps(bench.untrained, contexts, **swapped, ledger=ledger.about("untrained"))
    swaps, control = summed(trials), summed(controls).relation("untrained")
    relation = swaps.relation("interchangeable")
    formed = classes(relation, config.epsilon)
    tested = put_to_the_test(bench, formed, relation, tried=contexts, effort=_effort(model, config))
    partition = tested.partition
    frames = trajectories.frames[chosen.frame_id]
    worlds = world_partitions(graph, frames)
    judge = judge_of(model, graph, frames, target_return=config.target_return)
    rng = numpy_generator(config.seed, "equivalence/controls")
    report = EquivalenceReport(
        env_id=trajectories.env_id,
        config=config,
        chosen=chosen,
        frames=frames,
        swaps=swaps,
        partition=partition,
        certificates=certificates(swaps, partition),
        untrained=control,
        worlds=worlds,
        comparisons=tuple(_against(world, partition, control, config=config, rng=rng) for world in worlds),
        behaviour=Trial(relation, judge, config.n_quotient_draws, rng).behaviour(partition, worlds, control),
        scrutiny=Scrutiny(
            formed=formed,
            rounds=tested.rounds,
            counterexamples=tested.counterexamples,
            bounds=tested.bounds,
            arms=tested.arms,
            stability=_stability(trials, config),
            at_once=at_once(trials),
            reachable=_reachable(trials, graph, trajectories),
        ),
    )
    return replace(report, acted=act_on_classes(report, bench, n_episodes=config.n_episodes))


def act_on_classes(report: EquivalenceReport, bench: Bench, *, n_episodes: int) -> tuple[Acted, ...]:
    """Let the bench's model and agent play on the classes, on random and untrained ones, and on the world's own.

    The random classes are of the same sizes, an untrained model's are as many. Nothing is played for no episodes.
    """
    if not n_episodes:
        return ()
    config, partition = report.config, report.partition
    graph = state_graph(report.env_id)
    place = places(graph, report.frames)
    shuffled = numpy_generator(config.seed, "equivalence/random classes").permutation(partition.label.numpy())
    partitions = {
        "interchangeable": partition,
        "random, of these sizes": partition_of(torch.from_numpy(shuffled), "random"),
        "untrained, as many": classes_of_count(report.untrained, partition.n_classes),
        **{world.name: world for world in report.worlds},
    }
    exchanges = {}
    for name, each in partitions.items():
        substitute = torch.arange(len(graph.frames))
        substitute[place] = place[representatives(each, report.relation)]
        exchanges[name] = Exchange(each.n_classes, substitute)
    return act_on(bench.model, bench.agent, exchanges, Stage(graph, n_episodes, config.target_return, config.seed))


def _effort(model: DecisionTransformer, config: EquivalenceConfig) -> Effort:
    return Effort(
        epsilon=config.epsilon,
        n_rounds=config.n_rounds,
        n_fresh=config.n_fresh,
        n_verified=config.n_verified,
        seed=config.seed,
        layer=layer_of(model, config.site),
    )


def _stability(trials: Trials, config: EquivalenceConfig) -> Interval | None:
    rng = numpy_generator(config.seed, "equivalence/halves")
    return stability(trials, epsilon=config.epsilon, n_draws=N_HALVES, generator=rng)


def _reachable(trials: Trials, graph: StateGraph, trajectories: Trajectories) -> Reachable:
    table = places(graph, trajectories.frames)
    could_stand = frames_that_could_stand(graph, trajectories, trials.contexts, table=table, frame_id=trials.frame_id)
    return reachable(trials, could_stand)


def judge_of(
    model: DecisionTransformer,
    graph: StateGraph,
    frames: UInt8[Tensor, "frame view view 3"],
    *,
    target_return: float,
) -> Judge:
    """Return what tells the model's exact greedy expectation when chosen frames are shown as others."""
    place = places(graph, frames)

    def judge(chosen: Int64[Tensor, " frame"]) -> Expectation:
        substitute = torch.arange(len(graph.frames))
        substitute[place] = place[chosen]
        return expectation(model, graph, Greedy(), target_return=target_return, altered=Altered(substitute))

    return judge


def _against(
    world: Partition, partition: Partition, control: Relation, *, config: EquivalenceConfig, rng: np.random.Generator
) -> Comparison:
    def agreement(ours: Partition) -> Agreement:
        return compare(ours, world, n_draws=config.n_draws, generator=rng)

    return Comparison(
        world=world.name,
        trained=agreement(partition),
        untrained=agreement(classes_of_count(control, partition.n_classes)),
        untrained_at_epsilon=agreement(classes(control, config.epsilon)),
    )
