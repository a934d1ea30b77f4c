from dataclasses import asdict, replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certify import EquivalenceConfig, EquivalenceReport, act_on_classes, certify
from dtinterp.equivalence.scrutiny import Bench
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.model.transformer import DecisionTransformer

CONFIG = EquivalenceConfig(n_frames=16, n_contexts=3, epsilon=0.2, n_draws=20, n_quotient_draws=1)


@pytest.fixture(scope="module")
def report(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> EquivalenceReport:
    return _certify(model, trajectories, halves, items)


def _certify(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> EquivalenceReport:
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    return certify(Bench(model, untrained, trajectories, halves.held_out, items), CONFIG)


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


def test_players_are_tried_on_each_partition_and_lose_nothing_where_nothing_is_exchanged(
    report: EquivalenceReport,
    model: DecisionTransformer,
    trajectories: Trajectories,
    halves: Split,
    items: Float32[Tensor, "table item"],
) -> None:
    bench = Bench(model, model, trajectories, halves.held_out, items)
    assert report.acted == act_on_classes(report, bench, n_episodes=0) == ()
    acted = act_on_classes(report, bench, n_episodes=6)
    names = ["interchangeable", "random, of these sizes", "untrained, as many", *(w.name for w in report.worlds)]
    assert [each.shown for each in acted] == ["intact", *names]
    assert [each.n_classes for each in acted[1:4]] == [report.partition.n_classes] * 3
    (alone,) = (each for each in acted if each.shown == "same image")
    assert alone.played.change.low == alone.played.change.high == 0
    assert alone.played.success == acted[0].played.success


def test_where_only_reachable_contexts_count_every_swap_could_have_happened(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> None:
    bench = Bench(model, model, trajectories, halves.held_out, items)
    found = certify(bench, replace(CONFIG, only_reachable=True, n_quotient_draws=1, n_verified=1))
    assert found.scrutiny is not None
    assert found.scrutiny.reachable is not None
    n_frames = len(found.chosen.frame_id)
    assert n_frames > 1
    assert torch.equal(found.scrutiny.reachable.n_contexts, found.swaps.n_contexts[:, None].expand(-1, n_frames))
    assert torch.equal(found.scrutiny.reachable.maximum, found.swaps.maximum)


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
