"""A model and its held-out data become the observations that it treats alike, certified."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.acted import Acted, Exchange, Stage, act_on
from dtinterp.equivalence.agreement import Comparison, against_worlds
from dtinterp.equivalence.certificates import Certificate, Later, Total, certificates, total
from dtinterp.equivalence.classes import Partition, check_epsilon, classes, classes_of_count, partition_of
from dtinterp.equivalence.contexts import draw_contexts
from dtinterp.equivalence.frames import ChosenFrames, most_visited
from dtinterp.equivalence.quotient import Behaviour, Trial, judge_of, representatives
from dtinterp.equivalence.reach import Reachable, frames_that_could_stand, reachable, steps_of_equals
from dtinterp.equivalence.refinement import has_ended
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.scrutiny import Bench, Effort, Scrutiny, at_once, put_to_the_test
from dtinterp.equivalence.stability import stability
from dtinterp.equivalence.swaps import Swaps, summed
from dtinterp.equivalence.trials import Trials, layer_of, try_swaps
from dtinterp.equivalence.worlds import places, world_partitions
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from dtinterp.foundation.understanding import require_equally_many
from dtinterp.model.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph, state_graph

N_HALVES = 20
"""Times that contexts are halved, to see how far classes depend on which were drawn."""

Source = Literal["held-out", "plays"]


@dataclass(frozen=True)
class EquivalenceConfig:
    """How equivalence is certified; the work grows with n_frames² × n_contexts."""

    n_frames: int = 96
    """observations compared, each with each other: the most visited on the held-out side, or by plays"""
    contexts: Source = "held-out"
    """where observations stand: held-out for steps of held-out demonstrations; plays for all that can happen in the
    first steps of the world, whoever plays, target_return asked: so few that classes are tried in every one"""
    horizon: int = 3
    """actions of a play before its last decision, at most; for plays"""
    most_contexts: int = 60_000
    """contexts of plays, at most, before any are found alike; a horizon that gives more is refused"""
    n_contexts: int = 8
    """contexts per observation that classes are made from: some end at it, some go on as long as a window can"""
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
    n_rounds: int = 12
    """times that classes are tried in fresh contexts and split by counterexample, at most: a round that finds none is
    the last; 0 leaves them as they were formed"""
    n_fresh: int = 4
    """contexts per observation in each of these rounds"""
    n_verified: int = 8
    """contexts per observation, used for nothing before, that bounds and controls rest on; 0 gives none. Of plays, all
    contexts that are left are tried with class-mates, controls in so many"""
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
        require_at_least(self, 0, "n_rounds", "n_verified", "n_episodes", "horizon")
        require_at_least(self, 1, "most_contexts")
        require_sensible(self)

    @property
    def is_enumerated(self) -> bool:
        """Whether contexts are those of all plays."""
        return self.contexts == "plays"

    @property
    def kind(self) -> str:
        """What steps, episodes and contexts are called."""
        return "enumerated" if self.is_enumerated else "held-out"

    @property
    def population(self) -> str:
        """All contexts that certificates speak of, in words."""
        return f"contexts of plays of up to {self.horizon} steps" if self.is_enumerated else "held-out contexts"


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
    """one per class, from the swaps that classes are formed from; `totals` has what was tried since"""
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

    def __post_init__(self) -> None:
        """Refuse parts that are not about the same observations."""
        tables = {"frame ids": self.chosen.frame_id, "frames": self.frames, "swaps": self.swaps.frame_id}
        labels = {f"labels of {each.name!r}": each.label for each in (self.partition, *self.worlds)}
        counts = {name: len(table) for name, table in (tables | labels).items()}
        require_equally_many(**counts, **{"frames of the control": self.untrained.n_frames})

    @cached_property
    def relation(self) -> Relation:
        """The model's divergences, both directions together."""
        return self.swaps.relation("interchangeable")

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """All that was ever tried inside each class, in order of label."""
        return tuple(total(certificate, self._later) for certificate in self.certificates)

    @property
    def is_refined_to_the_end(self) -> bool:
        """Whether the refinement ended because nothing was found, or nothing was left, before its rounds were used up.

        Also where none was tried and none was asked for.
        """
        rounds = () if self.scrutiny is None else self.scrutiny.rounds
        return not self.config.n_rounds or has_ended(rounds, self.config.n_rounds)

    @property
    def _later(self) -> tuple[Later, ...]:
        """What was tried inside classes after they were formed, as far as it is known."""
        if self.scrutiny is None or self.scrutiny.later:
            return () if self.scrutiny is None else self.scrutiny.later
        bounds = self.scrutiny.bounds  # written before worst swaps were kept
        return tuple(Later(each.label, "verification", each.n_swaps, each.maximum, None) for each in bounds)

    @property
    def n_contexts(self) -> int:
        """Distinct contexts that classes are formed from."""
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
    """Swap observations in the bench's contexts, join those that can stand in for each other, compare with the world.

    Of plays, the bench's steps are all that there are. Two passes over n_frames² × n_contexts windows; swaps that the
    bench's ledger has are not made again. Raises `UserError` where there are no steps.
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
        comparisons=against_worlds(
            worlds, partition, control, epsilon=config.epsilon, n_draws=config.n_draws, generator=rng
        ),
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
            later=tested.later,
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
        is_exhaustive=config.is_enumerated,
    )


def _stability(trials: Trials, config: EquivalenceConfig) -> Interval | None:
    rng = numpy_generator(config.seed, "equivalence/halves")
    return stability(trials, epsilon=config.epsilon, n_draws=N_HALVES, generator=rng)


def _reachable(trials: Trials, graph: StateGraph, trajectories: Trajectories) -> Reachable:
    table = places(graph, trajectories.frames)
    could_stand = frames_that_could_stand(graph, trajectories, trials.contexts, table=table, frame_id=trials.frame_id)
    return reachable(trials, could_stand)
