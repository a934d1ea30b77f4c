"""The whole chain, with planted models: what knows the truth is found, what knows nothing stays at chance."""

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from dtinterp.dataset.windows import window
from dtinterp.equivalence.certify import certify_inputs
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.comparisons.compared_partitions import Certified
from dtinterp.equivalence.comparisons.model_comparison import ModelComparisonConfig, compare_models
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.distances.distance import compared_frames
from dtinterp.equivalence.explain.distances.image import near_in_the_image
from dtinterp.equivalence.partition import classes, classes_of_count, partition_of
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.equivalence.swaps.interchange import swap_frames
from dtinterp.equivalence.truth.agreement import compare
from dtinterp.equivalence.truth.key_ball_symmetry import reflect
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer

CONFIG = EquivalenceConfig(
    n_frames=14,
    n_contexts=2,
    epsilon=0.2,
    n_draws=10,
    n_quotient_draws=1,
    n_rounds=1,
    n_fresh=1,
    n_verified=1,
    contexts="held-out",
    n_joint_rounds=0,
    n_wandered=0,
)


def _certified(model, trajectories, halves, items, name="toy"):
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    report = certify_inputs(CertifyInputs(model, untrained, trajectories, halves.held_out, items), CONFIG)
    return Certified(
        name, model, untrained, report, items, window(trajectories, halves.held_out[:60]), trajectories.frames
    )


@pytest.fixture(scope="module")
def certified(model, trajectories, halves, items):
    return _certified(model, trajectories, halves, items)


@pytest.fixture(scope="module")
def report(certified, trajectories):
    config = ModelComparisonConfig(n_draws=20, n_shown=2, n_windows=60)
    return compare_models([certified, replace(certified, name="twin")], trajectories, config)


def _classifier(n_classes):
    """A model that acts by the class of what it sees, and by nothing else: its items are the classes themselves."""
    shape = ModelConfig(
        d_model=32, n_layers=1, n_heads=1, d_mlp=1, n_items=n_classes, normalization_type="none", time_embedding=False
    )
    model = DecisionTransformer(shape, generator(0, "classifier"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.W_obs.normal_(std=0.5, generator=generator(1, "classifier"))
        model.W_U.normal_(generator=generator(2, "classifier"))
    return model


def _relation(model, items, trajectories, halves, frame_id):
    contexts = draw_contexts(
        trajectories, halves.held_out, frame_id=frame_id, n_contexts=2, n_slots=10, generator=generator(0, "contexts")
    )
    return swap_frames(model, contexts, items=items, frame_id=frame_id).relation("planted")


def test_a_model_made_from_the_bisimulation_partition_is_recovered(graph, trajectories, halves):
    truth = world_partitions(graph, trajectories.frames)[2]
    items = torch.nn.functional.one_hot(truth.label).float()
    frame_id = most_visited(trajectories, halves.held_out, 30).frame_id
    planted = partition_of(truth.label[frame_id], "planted")
    found = classes(_relation(_classifier(truth.n_classes), items, trajectories, halves, frame_id), 1e-6)
    rng = numpy_generator(0, "recovery")
    assert 1 < planted.n_classes < 30
    assert compare(found, planted, n_draws=10, generator=rng).ari.estimate == 1
    assert torch.equal(found.label, planted.label)


def test_a_model_of_shuffled_classes_stays_at_chance(graph, trajectories, halves):
    truth = world_partitions(graph, trajectories.frames)[2]
    frame_id = most_visited(trajectories, halves.held_out, 30).frame_id
    planted = partition_of(truth.label[frame_id], "planted")
    rng = numpy_generator(0, "recovery")
    found = []
    for seed in range(8):
        shuffled = truth.label[torch.randperm(len(truth.label), generator=generator(seed, "shuffle"))]
        items = torch.nn.functional.one_hot(shuffled).float()
        relation = _relation(_classifier(truth.n_classes), items, trajectories, halves, frame_id)
        found.append(compare(classes(relation, 1e-6), planted, n_draws=10, generator=rng).ari.estimate)
    assert abs(sum(found) / len(found)) < 0.1


def test_untrained_models_agree_with_the_truth_above_chance_but_on_average_no_more_than_looks_alone(
    graph, trajectories, halves, items
):
    """Chance is the wrong control for a model that never learnt: it sees, and what looks alike is often alike."""
    frame_id = most_visited(trajectories, halves.held_out, 60).frame_id
    truth = partition_of(world_partitions(graph, trajectories.frames)[2].label[frame_id], "truth")
    rng = numpy_generator(0, "looks")

    def agreement(relation):
        return compare(classes_of_count(relation, truth.n_classes), truth, n_draws=50, generator=rng)

    shape = ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32)
    models = [DecisionTransformer(shape, generator(seed, "untrained")) for seed in range(6)]
    found = [agreement(_relation(model, items, trajectories, halves, frame_id)) for model in models]
    assert all(each.ari.estimate > each.random.high for each in found)
    looks = agreement(near_in_the_image(compared_frames(models[0], items, frame_id))).ari.estimate
    assert sum(each.ari.estimate for each in found) / len(found) <= looks


def test_every_relation_of_the_model_is_held_against_every_one_of_the_world(report):
    relations = ["interchangeable", "same decision at once", "near in the embedding", "near as the heads read it"]
    controls = ["looks alone", "untrained model"]
    worlds = ["same image", "same optimal actions", "reward bisimulation", "same belief"]
    worlds += ["same belief given the window", "same demonstrated actions"]
    rows = [(row.relation, row.world) for row in report.against if row.model == "toy"]
    assert rows == [(relation, world) for relation in [*relations, *controls] for world in worlds]


def test_p_values_are_adjusted_within_a_model(report):
    rows = [row for row in report.against if row.model == "toy"]
    assert all(row.p_holm >= row.agreement.p_value for row in rows)
    assert min(row.p_holm for row in rows) == pytest.approx(
        min(1.0, len(rows) * min(r.agreement.p_value for r in rows))
    )


def test_a_model_agrees_with_itself_in_full(report):
    (kinship,) = report.kinships
    assert (kinship.model, kinship.other, kinship.n_frames) == ("toy", "twin", 14)
    assert kinship.agreement.ari.estimate == 1


def test_each_model_has_its_portrait(report):
    assert [portrait.model for portrait in report.portraits] == ["toy", "twin"]
    first = report.portraits[0]
    assert len(first.contrasts.confusions) <= 2
    assert len(first.reflection.distinct) == 5


def test_a_portrait_holds_the_trained_model_beside_its_own_control(report, certified, trajectories):
    first, config = report.portraits[0], certified.report.config
    told, control = (
        reflect(model, certified.windows, trajectories.frames) for model in (certified.model, certified.untrained)
    )
    assert first.reflection == told != control == first.untrained
    by_name = {world.name: world for world in certified.report.worlds}
    alike = by_name["reward bisimulation"].sizes
    assert config.target_return == 0.892
    assert first.contrasts.n_alike == int((alike * (alike - 1) // 2).sum())


def test_rows_are_about_the_partitions_that_they_name(report, certified):
    """Each row of the model's certified classes, by scikit-learn's index of the two that it names."""
    by_name = {world.name: world for world in certified.report.worlds}
    rows = [row for row in report.against if row.model == "toy" and row.relation == "interchangeable"]
    named = [row for row in rows if row.world in by_name]
    assert len(named) == 3
    for row in named:
        expected = adjusted_rand_score(by_name[row.world].label, certified.report.partition.label)
        assert row.agreement.ari.estimate == pytest.approx(expected)


@pytest.mark.slow
def test_models_are_held_against_each_other_on_the_frames_that_both_know(certified, trajectories):
    """Planted: what two reports share is found by what it shows, and not by where it stands."""
    report = certified.report
    order = torch.tensor([13, 2, 3, 7, 5, 11, 1, 0, 12, 4, 6, 8, 9, 10])
    label = report.partition.label[order]
    moved = replace(report, frames=report.frames[order], partition=partition_of(label, "moved"))
    assert 1 < report.partition.n_classes < 14
    assert not torch.equal(moved.partition.label, report.partition.label)
    twin = replace(certified, name="moved", report=moved)
    (kinship,) = compare_models([certified, twin], trajectories, ModelComparisonConfig(n_draws=5, n_windows=4)).kinships
    assert (kinship.n_frames, kinship.agreement.ari.estimate) == (14, 1)


def test_another_world_is_refused(certified, trajectories):
    elsewhere = replace(trajectories, env_id="MiniGrid-MemoryS7-v0")
    with pytest.raises(UserError, match="toy was certified in MiniGrid-MemoryS7FixedStartStatic-v0, the"):
        compare_models([certified], elsewhere, ModelComparisonConfig())


@pytest.mark.parametrize("settings", [{"demonstrated_epsilon": 3.0}, {"n_draws": 0}, {"n_shown": -1}, {"tau": 1.5}])
def test_what_cannot_be_compared_is_refused(settings):
    with pytest.raises(UserError, match="expected"):
        ModelComparisonConfig(**settings)
