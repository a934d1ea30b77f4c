"""Certification, step by step: contexts, swaps, classes, their refinement and verification, the truth beside them."""

from dataclasses import replace
from functools import partial

import torch

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.behaviour.abstraction_error import (
    AbstractionConfig,
    AbstractionOutcome,
    abstraction_errors,
)
from dtinterp.equivalence.behaviour.after_random import (
    CLASSES,
    RANDOM,
    Merged,
    Wanderer,
    Wandering,
    always,
    any_member,
    permuted,
    rest_merged,
    sparing,
    wander,
)
from dtinterp.equivalence.behaviour.quotient import QuotientEvaluation, judge_of
from dtinterp.equivalence.behaviour.quotient_rollouts import (
    QuotientRollout,
    RolloutSetup,
    Substitution,
    roll_out_quotients,
)
from dtinterp.equivalence.classes.certificates import certificates
from dtinterp.equivalence.classes.joint_refinement import TrialHistories, refine_jointly
from dtinterp.equivalence.classes.luck import Luck, luck_of
from dtinterp.equivalence.classes.stability import stability
from dtinterp.equivalence.classes.verification import CertifyInputs, Verification, Verifier, VerifyConfig
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.distances.distance import compared_frames
from dtinterp.equivalence.explain.distances.image import near_in_the_image
from dtinterp.equivalence.partition import (
    Partition,
    classes,
    classes_of_count,
    common_refinement,
    partition_of,
    representatives,
)
from dtinterp.equivalence.populations.own_play import PlayConfig
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames, most_visited
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.equivalence.swaps.feasible_swaps import Reachable, frames_that_could_stand, reachable, steps_of_equals
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.joint import Player, histories_of
from dtinterp.equivalence.swaps.trials import Trials, at_once, layer_of, try_swaps
from dtinterp.equivalence.truth.agreement import against_worlds
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph, state_graph

N_HALVES = 20
"""Times that contexts are halved, to see how far classes depend on which were drawn."""


def certify_inputs(
    inputs: CertifyInputs, config: EquivalenceConfig, *, finer_than: EquivalenceReport | None = None
) -> EquivalenceReport:
    """Swap observations in the inputs' contexts, join those that can stand in for each other, compare with the world.

    Classes join nothing that `finer_than` keeps apart. Of plays, the inputs' steps are all that there are. Two passes
    over n_frames² × n_contexts windows; swaps that the inputs' cache has are not made again. Raises `UserError` where
    there are no steps.
    """
    model, trajectories, cache = inputs.model, inputs.trajectories, inputs.cache
    graph = state_graph(trajectories.env_id)
    if config.only_reachable:
        table = FrameTable.of_graph(graph).rows_of(trajectories.frames)
        inputs = inputs.at(steps_of_equals(graph, trajectories, inputs.all_steps, table=table))
    chosen = most_visited(trajectories, inputs.steps, config.n_frames, n_known=inputs.n_known)
    contexts = draw_contexts(
        trajectories,
        inputs.steps,
        frame_id=chosen.frame_id,
        n_contexts=config.n_contexts,
        n_slots=model.cfg.n_slots,
        generator=generator(config.seed, "equivalence/contexts"),
    )
    swapped = {"items": inputs.items, "frame_id": chosen.frame_id, "site": config.site}
    trials = try_swaps(model, contexts, **swapped, cache=cache.about("trained"))
    controls = try_swaps(inputs.untrained, contexts, **swapped, cache=cache.about("untrained"))
    swaps, control = summed(trials), summed(controls).relation("untrained")
    relation = swaps.relation("interchangeable")
    frames = trajectories.frames[chosen.frame_id]
    formed = classes(relation, config.epsilon)
    if finer_than is not None:
        formed = common_refinement(formed, frames, finer_than.partition, finer_than.frames)
    verifier = Verifier.of(inputs, formed, relation, tried=contexts, config=_verify_config(model, config))
    refined = verifier.refined(formed)
    jointly = refine_jointly(
        Player(model, inputs.items, chosen.frame_id),
        _histories(inputs, chosen, config),
        refined.partition,
        relation,
        maximum=refined.maximum,
        config=config.joint,
    )
    partition = jointly.partition
    tested = verifier.verified(partition, refined)
    worlds = world_partitions(graph, frames)
    judge = judge_of(model, graph, frames, target_return=config.target_return)
    rng = numpy_generator(config.seed, "equivalence/controls")
    quotients = QuotientEvaluation(partial(representatives, relation=relation), judge, config.n_quotient_draws, rng)
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
        behaviour=quotients.behaviour(partition, worlds, relation=relation, untrained=control),
        scrutiny=Verification(
            formed=formed,
            rounds=refined.rounds,
            counterexamples=refined.counterexamples,
            bounds=tested.bounds,
            arms=tested.arms,
            stability=_stability(trials, config),
            at_once=at_once(trials),
            reachable=_reachable(trials, graph, trajectories),
            later=tested.later,
        ),
        joint=jointly.trial,
        met=jointly.maximum,
        luck=_luck(trials, config),
    )
    return replace(
        report,
        acted=play_on_classes(report, inputs, n_episodes=config.n_episodes),
        abstraction=set_classes(report, inputs),
        wandering=wander_on_classes(report, inputs) if config.n_wandered else None,
    )


def play_on_classes(
    report: EquivalenceReport, inputs: CertifyInputs, *, n_episodes: int
) -> tuple[QuotientRollout, ...]:
    """Let the inputs' model and agent play on the classes, on random and untrained ones, and on the world's own.

    The random classes are of the same sizes, an untrained model's are as many. Nothing is played for no episodes.
    """
    if not n_episodes:
        return ()
    config, graph = report.config, state_graph(report.env_id)
    place = FrameTable.of_graph(graph).rows_of(report.frames)
    substitutions = {}
    for name, each in _with_controls(report).items():
        substitute = torch.arange(len(graph.frames))
        substitute[place] = place[representatives(each, report.relation)]
        substitutions[name] = Substitution(each.n_classes, substitute)
    return roll_out_quotients(
        inputs.model, inputs.agent, substitutions, RolloutSetup(graph, n_episodes, config.target_return, config.seed)
    )


def set_classes(report: EquivalenceReport, inputs: CertifyInputs) -> tuple[AbstractionOutcome, ...]:
    """Set classes in histories that refined nothing, and see whether the inputs' model does what the classes predict.

    Beside them random and untrained ones, and the world's own. None are set where they were not tried jointly.
    """
    config = report.config
    if report.joint is None or not config.n_abstracted:
        return ()
    histories = _histories(inputs, report.chosen, config).testing(sum(each.n_histories for each in report.joint.rounds))
    return abstraction_errors(
        Player(inputs.model, inputs.items, report.chosen.frame_id),
        histories[: config.joint.n_verified],
        _with_controls(report),
        report.relation,
        AbstractionConfig(config.n_abstracted, config.epsilon, config.seed),
    )


def wander_on_classes(report: EquivalenceReport, inputs: CertifyInputs) -> Wandering:
    """Let the inputs' model play on the classes, from beginnings after random actions, beside trivial classes.

    These are: all that it never meets from the starts in one class, what it meets apart or in its own classes; random
    classes, of the same sizes or so many that what it meets stays apart; an untrained model's; what looks alike; and
    the world's own.
    """
    config, partition, relation = report.config, report.partition, report.relation
    graph = state_graph(report.env_id)
    place = FrameTable.of_graph(graph).rows_of(report.frames)
    play = PlayConfig(config.target_return, config.n_wandered, config.most_random, config.seed + 1)  # not those of own
    wanderer, from_starts = (
        Wanderer.of(inputs.model, graph, place, each) for each in (play, replace(play, most_random=0))
    )
    met = from_starts.met(from_starts.intact())
    looks = near_in_the_image(compared_frames(inputs.model, inputs.items, report.chosen.frame_id))
    fixed = {
        CLASSES: partition,
        "an untrained model's, as many": classes_of_count(report.untrained, partition.n_classes),
        "what looks alike, as many": classes_of_count(looks, partition.n_classes),
        **{world.name: world for world in report.worlds},
    }
    apart = partition_of(torch.arange(len(met)), "apart")
    rest = {
        "unmet merged, the others apart": rest_merged(apart, met, "rest"),
        "unmet merged, the others in their classes": rest_merged(partition, met, "rest of classes"),
    }
    n = config.n_merges
    merges = {name: Merged(each.n_classes, 1, always(representatives(each, relation))) for name, each in fixed.items()}
    merges |= {f"{CLASSES}, any members": Merged(partition.n_classes, n, any_member(partition))}
    merges |= {name: Merged(each.n_classes, n, any_member(each)) for name, each in rest.items()}
    merges |= {f"{RANDOM}, of these sizes": Merged(partition.n_classes, n, permuted(partition))}
    if int(met.sum()) <= partition.n_classes:
        merges |= {f"{RANDOM}, what is met apart": Merged(partition.n_classes, n, sparing(partition.n_classes, met))}
    return wander(wanderer, merges, n_from_starts=int(met.sum()), seed=config.seed)


def _with_controls(report: EquivalenceReport) -> dict[str, Partition]:
    """Return the classes by name, random and untrained ones, and the world's own."""
    partition = report.partition
    shuffled = numpy_generator(report.config.seed, "equivalence/random classes").permutation(partition.label.numpy())
    return {
        "interchangeable": partition,
        "random, of these sizes": partition_of(torch.from_numpy(shuffled), "random"),
        "untrained, as many": classes_of_count(report.untrained, partition.n_classes),
        **{world.name: world for world in report.worlds},
    }


def _histories(inputs: CertifyInputs, chosen: ChosenFrames, config: EquivalenceConfig) -> TrialHistories:
    """Return all histories of the population, each once; of those tested, what refinement could meet is left out."""
    ending = partial(
        histories_of,
        inputs.trajectories,
        frame_id=chosen.frame_id,
        n_slots=inputs.model.cfg.n_slots,
        generator=generator(config.seed, "equivalence/histories"),
    )
    tested = None if inputs.tested is None else ending(inputs.tested, seen=inputs.steps)
    return TrialHistories(ending(inputs.steps), tested)


def _verify_config(model: DecisionTransformer, config: EquivalenceConfig) -> VerifyConfig:
    return VerifyConfig(
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


def _luck(trials: Trials, config: EquivalenceConfig) -> Luck:
    rng = numpy_generator(config.seed, "equivalence/luck")
    return luck_of(trials, epsilon=config.epsilon, n_draws=config.n_draws, generator=rng)


def _reachable(trials: Trials, graph: StateGraph, trajectories: Trajectories) -> Reachable:
    table = FrameTable.of_graph(graph).rows_of(trajectories.frames)
    could_stand = frames_that_could_stand(graph, trajectories, trials.contexts, table=table, frame_id=trials.frame_id)
    return reachable(trials, could_stand)
