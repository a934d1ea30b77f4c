from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from jaxtyping import Float32, Int64
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence import certify as certify_module
from dtinterp.equivalence.behaviour.quotient import Judge, judge_of
from dtinterp.equivalence.certify import certify_inputs, play_on_classes
from dtinterp.equivalence.classes.refinement import Refinement, Round
from dtinterp.equivalence.classes.verification import CertifyInputs, Verifier
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.partition import Partition, classes, classes_of_count, partition_of, representatives
from dtinterp.equivalence.populations.all_plays import plays
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import holm
from dtinterp.interventions.instruction_flip.scenarios import FORWARD, LEFT
from dtinterp.interventions.returns.expectation import expectation
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.evaluation import Expectation
from environments.graph.state_graph import StateGraph
from environments.vocabulary import one_hot

CONFIG = EquivalenceConfig(
    n_frames=16,
    contexts="held-out",
    n_contexts=3,
    epsilon=0.2,
    n_draws=20,
    n_quotient_draws=1,
    n_joint_rounds=0,
    n_wandered=0,
)


@pytest.fixture(scope="module")
def report(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> EquivalenceReport:
    return _certify(model, trajectories, halves, items)


def _certify(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> EquivalenceReport:
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    return certify_inputs(CertifyInputs(model, untrained, trajectories, halves.held_out, items), CONFIG)


def test_the_report_is_about_the_most_visited_held_out_frames(
    report: EquivalenceReport, trajectories: Trajectories, halves: Split
) -> None:
    visits = torch.bincount(trajectories.frame_id[halves.held_out].long())
    assert report.chosen.n_visits.tolist() == visits.sort(descending=True).values[:16].tolist()
    assert torch.equal(report.frames, trajectories.frames[report.chosen.frame_id])
    assert torch.equal(report.relation.frame_id, report.chosen.frame_id)
    assert report.chosen.n_steps == len(halves.held_out)


def test_each_class_has_a_certificate_within_epsilon(report: EquivalenceReport) -> None:
    assert [certificate.size for certificate in report.certificates] == report.partition.sizes.tolist()
    assert max(certificate.maximum for certificate in report.certificates) <= CONFIG.epsilon


def test_the_counts_are_those_of_the_swaps(report: EquivalenceReport) -> None:
    assert report.n_contexts == 16 * 3
    assert report.n_swaps == 16 * 3 * 15
    assert report.n_swaps < report.n_decisions < 10 * report.n_swaps


def test_the_model_is_held_against_each_partition_of_the_world(report: EquivalenceReport) -> None:
    names = ["same image", "same optimal actions", "reward bisimulation"]
    assert [world.name for world in report.worlds] == names
    assert [comparison.world for comparison in report.comparisons] == names
    for comparison, world in zip(report.comparisons, report.worlds, strict=True):
        arms = (comparison.trained, comparison.untrained, comparison.untrained_at_epsilon)
        assert {arm.n_reference_classes for arm in arms} == {world.n_classes}
        assert {arm.random.n for arm in arms} == {CONFIG.n_draws}
        assert comparison.untrained.n_classes == comparison.trained.n_classes == report.partition.n_classes


def test_an_untrained_model_minds_less(report: EquivalenceReport) -> None:
    assert report.untrained.maximum.median() < report.relation.maximum.median()
    assert torch.equal(report.untrained.n_contexts, report.relation.n_contexts)


def test_the_same_seed_gives_the_same_report(
    report: EquivalenceReport,
    model: DecisionTransformer,
    trajectories: Trajectories,
    halves: Split,
    items: Float32[Tensor, "table item"],
) -> None:
    again = _certify(model, trajectories, halves, items)
    assert torch.equal(again.swaps.maximum, report.swaps.maximum)
    assert again.certificates == report.certificates
    assert [asdict(comparison) for comparison in again.comparisons] == [asdict(c) for c in report.comparisons]


def test_each_arm_is_of_its_own_model(
    forks: Int64[Tensor, " fork"],
    reflexes: Callable[[Int64[Tensor, " frame"]], DecisionTransformer],
    graph: StateGraph,
    trajectories: Trajectories,
    halves: Split,
    items: Float32[Tensor, "table item"],
) -> None:
    """Planted: one model tells forks from starts, and wins from half of these; its control tells two starts apart."""
    starts = torch.tensor(graph.frame_id[graph.start]).long().unique()
    shown = FrameTable.of_graph(graph).rows_of(trajectories.frames)[trajectories.frame_id[halves.held_out].long()]
    wanted = torch.cat([forks, starts])
    ahead = torch.full((len(graph.frames),), FORWARD)
    model, untrained = (reflexes(ahead.index_fill(0, turned, LEFT)) for turned in (forks, starts[:2]))
    bench = CertifyInputs(model, untrained, trajectories, halves.held_out[torch.isin(shown, wanted)], items)
    config = replace(CONFIG, n_frames=8, n_contexts=1, n_rounds=0, n_verified=0, target_return=0.7)
    report = certify_inputs(bench, config)

    ours, theirs = report.partition, classes_of_count(report.untrained, report.partition.n_classes)
    is_fork = torch.isin(FrameTable.of_graph(graph).rows_of(report.frames), forks)
    assert len(is_fork) == len(wanted) > ours.n_classes == 2
    assert torch.equal(ours.label == ours.label[is_fork][0], is_fork)
    assert not torch.equal(ours.label, theirs.label)
    at_epsilon = classes(report.untrained, CONFIG.epsilon)
    for found, world in zip(report.comparisons, report.worlds, strict=True):
        for arm, label in ((found.trained, ours), (found.untrained, theirs), (found.untrained_at_epsilon, at_epsilon)):
            assert arm.ari.estimate == pytest.approx(adjusted_rand_score(world.label, label.label))

    behaviour, judge = report.behaviour, judge_of(model, graph, report.frames, target_return=0.7)
    assert behaviour.intact == expectation(model, graph, Greedy(), target_return=0.7)
    assert behaviour.intact.success == pytest.approx(0.5)
    on_ours, on_theirs = judge([representatives(each, report.relation) for each in (ours, theirs)])
    assert behaviour.classes.earned == on_ours == behaviour.intact
    assert behaviour.untrained_classes.earned == on_theirs != behaviour.intact

    intact, ours_played, _, theirs_played, *_ = play_on_classes(report, bench, n_episodes=24)
    assert 0.2 < intact.played.success.estimate < 0.8
    assert ours_played.played.change.estimate == 0
    assert theirs_played.played.change.high < 0


def test_what_is_reported_is_of_the_refined_classes_and_at_the_return_that_is_asked(
    model: DecisionTransformer,
    trajectories: Trajectories,
    halves: Split,
    items: Float32[Tensor, "table item"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: a refinement that leaves each observation alone, and a judge that says what return it was asked for."""
    alone = partition_of(torch.arange(4), "alone")

    refine = Verifier.refined

    def refined(verifier: Verifier, formed: Partition) -> Refinement:
        return replace(refine(verifier, formed), partition=alone)

    def asked(*about: object, target_return: float) -> Judge:  # noqa: ARG001 - the real judge's arguments
        return lambda shown: [Expectation(target_return, 0.0, 0.0, float(len(each.unique()))) for each in shown]

    monkeypatch.setattr(Verifier, "refined", refined)
    monkeypatch.setattr(certify_module, "judge_of", asked)
    config = replace(CONFIG, n_frames=4, n_contexts=1, epsilon=1.0, n_rounds=0, n_verified=0, target_return=0.7)
    report = certify_inputs(CertifyInputs(model, model, trajectories, halves.held_out, items), config)
    assert report.scrutiny is not None
    assert report.scrutiny.formed.n_classes == 1
    assert report.partition is alone
    assert len(report.certificates) == 4
    assert (
        {c.trained.n_classes for c in report.comparisons} == {c.untrained.n_classes for c in report.comparisons} == {4}
    )
    assert {c.untrained_at_epsilon.n_classes for c in report.comparisons} == {1}
    assert report.behaviour.classes.n_classes == report.behaviour.untrained_classes.n_classes == 4
    assert report.behaviour.intact.expected_return == report.behaviour.classes.earned.expected_return == 0.7


def test_players_are_tried_on_each_partition_and_lose_nothing_where_nothing_is_exchanged(
    report: EquivalenceReport,
    model: DecisionTransformer,
    trajectories: Trajectories,
    halves: Split,
    items: Float32[Tensor, "table item"],
) -> None:
    bench = CertifyInputs(model, model, trajectories, halves.held_out, items)
    assert report.acted == play_on_classes(report, bench, n_episodes=0) == ()
    acted = play_on_classes(report, bench, n_episodes=6)
    names = ["interchangeable", "random, of these sizes", "untrained, as many", *(w.name for w in report.worlds)]
    assert [each.shown for each in acted] == ["intact", *names]
    assert [each.n_classes for each in acted[1:4]] == [report.partition.n_classes] * 3
    (alone,) = (each for each in acted if each.shown == "same image")
    assert alone.played.change.low == alone.played.change.high == 0
    assert alone.played.success == acted[0].played.success


def test_where_only_reachable_contexts_count_every_swap_could_have_happened(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> None:
    bench = CertifyInputs(model, model, trajectories, halves.held_out, items)
    found = certify_inputs(bench, replace(CONFIG, only_reachable=True, n_quotient_draws=1, n_verified=1))
    assert found.scrutiny is not None
    assert found.scrutiny.reachable is not None
    n_frames = len(found.chosen.frame_id)
    assert n_frames > 1
    assert torch.equal(found.scrutiny.reachable.n_contexts, found.swaps.n_contexts[:, None].expand(-1, n_frames))
    assert torch.equal(found.scrutiny.reachable.maximum, found.swaps.maximum)


def test_in_plays_every_context_of_every_shared_class_is_tried(
    model: DecisionTransformer, graph: StateGraph, trajectories: Trajectories
) -> None:
    config = replace(CONFIG, contexts="plays", horizon=2, n_frames=100, n_rounds=1, n_fresh=1, n_verified=1)
    played = plays(graph, config, known=trajectories.frames)
    report = certify_inputs(
        CertifyInputs(model, model, played, torch.arange(played.n_steps), one_hot(played.frames)), config
    )
    assert set(report.chosen.frame_id.tolist()) == set(played.frame_id.tolist())
    assert report.scrutiny is not None
    assert report.scrutiny.bounds
    every = window(played, torch.arange(played.n_steps), 10)
    shown = [
        Contexts(every[every.mask[:, slot]], torch.full((int(every.mask[:, slot].sum()),), slot))
        for slot in range(10)
        if every.mask[:, slot].any()
    ]
    rows = torch.cat([torch.cat([each.frame_id[:, None], each.seen()], dim=1) for each in shown]).unique(dim=0)
    for bound in report.scrutiny.bounds:
        assert bound.is_exact
        assert bound.share is not None
        members = report.chosen.frame_id[report.partition.members(bound.label)]
        assert bound.share.n == int(torch.isin(rows[:, 0], members).sum())
        assert bound.share.low == bound.share.high == bound.n_failures / bound.share.n


def test_what_was_tried_after_the_classes_were_formed_is_in_their_totals(report: EquivalenceReport) -> None:
    assert report.scrutiny is not None
    verified = sum(bound.n_swaps for bound in report.scrutiny.bounds)
    formed = sum(certificate.n_swaps for certificate in report.certificates)
    assert sum(each.n_swaps for each in report.totals) >= formed + verified > formed
    for bound in report.scrutiny.bounds:
        found = report.totals[bound.label]
        assert found.maximum >= max(bound.maximum, report.certificates[bound.label].maximum)
        assert found.worst is not None
        assert found.worst.divergence == found.maximum


def test_certified_classes_refine_those_that_the_swaps_make_at_any_larger_epsilon(report: EquivalenceReport) -> None:
    for epsilon in (CONFIG.epsilon, 0.3, 0.5, 0.8, 1.0):
        coarse = classes(report.relation, epsilon).label
        for label in range(report.partition.n_classes):
            assert len(coarse[report.partition.members(label)].unique()) == 1


def test_classes_of_a_real_relation_at_a_smaller_epsilon_refine_those_at_a_larger(report: EquivalenceReport) -> None:
    cuts = [classes(report.relation, epsilon) for epsilon in (0.01, 0.05, 0.1, 0.2, 0.4, 0.8)]
    assert len({cut.n_classes for cut in cuts}) > 2
    for fine, coarse in pairwise(cuts):
        assert all(len(coarse.label[fine.members(label)].unique()) == 1 for label in range(fine.n_classes))


def test_a_report_says_whether_its_refinement_came_to_an_end(report: EquivalenceReport) -> None:
    assert report.scrutiny is not None
    last = Round(n_contexts=4, n_swaps=8, n_counterexamples=1, n_classes=9)
    used_up = replace(report.scrutiny, rounds=(last,) * CONFIG.n_rounds)
    assert not replace(report, scrutiny=used_up).is_refined_to_the_end
    ended = replace(report.scrutiny, rounds=(last, replace(last, n_counterexamples=0)))
    assert replace(report, scrutiny=ended).is_refined_to_the_end


def test_p_values_are_adjusted_over_the_partitions_of_the_world(report: EquivalenceReport) -> None:
    raw = np.array([each.trained.p_value for each in report.comparisons])
    assert [each.p_holm for each in report.comparisons] == holm(raw).tolist()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"epsilon": 1.5}, "epsilon is 1.5, expected 0 to 1 bit"),
        ({"epsilon": -0.5}, "epsilon is -0.5, expected 0 to 1 bit"),
        ({"n_frames": 1}, "n_frames is 1, expected at least 2"),
        ({"n_contexts": 0}, "n_contexts is 0, expected at least 1"),
        ({"n_draws": 0}, "n_draws is 0, expected at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        EquivalenceConfig(**settings)  # type: ignore[arg-type]
