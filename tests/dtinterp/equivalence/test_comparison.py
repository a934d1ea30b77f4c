"""The whole chain, with planted models: what knows the truth is found, what knows nothing stays at chance."""

from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.equivalence.agreement import compare
from dtinterp.equivalence.certify import EquivalenceConfig, certify
from dtinterp.equivalence.classes import classes, partition_of
from dtinterp.equivalence.comparison import Certified, ComparisonConfig, hold_against, model_partitions
from dtinterp.equivalence.contexts import draw_contexts
from dtinterp.equivalence.frames import most_visited
from dtinterp.equivalence.scrutiny import Bench
from dtinterp.equivalence.swaps import swap_frames
from dtinterp.equivalence.worlds import world_partitions
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.transformer import DecisionTransformer

CONFIG = EquivalenceConfig(
    n_frames=14, n_contexts=2, epsilon=0.2, n_draws=10, n_quotient_draws=1, n_rounds=1, n_fresh=1, n_verified=1
)


def _certified(model, trajectories, halves, items, name="toy"):
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    report = certify(Bench(model, untrained, trajectories, halves.held_out, items), CONFIG)
    return Certified(name, model, untrained, report, items, window(trajectories, halves.held_out[:60]))


@pytest.fixture(scope="module")
def certified(model, trajectories, halves, items):
    return _certified(model, trajectories, halves, items)


@pytest.fixture(scope="module")
def report(certified, trajectories):
    config = ComparisonConfig(n_draws=20, n_shown=2, n_windows=60)
    return hold_against([certified, replace(certified, name="twin")], trajectories, config)


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


def test_every_relation_of_the_model_is_held_against_every_one_of_the_world(report):
    relations = ["interchangeable", "same decision at once", "near in the embedding", "near as the heads read it"]
    worlds = ["same image", "same optimal actions", "reward bisimulation", "same belief", "same demonstrated actions"]
    rows = [(row.relation, row.world) for row in report.against if row.model == "toy"]
    assert rows == [(relation, world) for relation in [*relations, "untrained model"] for world in worlds]


def test_other_relations_are_cut_into_as_many_classes(certified):
    n_classes = certified.report.partition.n_classes
    assert all(partition.n_classes <= n_classes for partition in model_partitions(certified))


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


def test_another_world_is_refused(certified, trajectories):
    elsewhere = replace(trajectories, env_id="MiniGrid-MemoryS7-v0")
    with pytest.raises(UserError, match="toy was certified in MiniGrid-MemoryS7FixedStartStatic-v0, the"):
        hold_against([certified], elsewhere, ComparisonConfig())


@pytest.mark.parametrize("settings", [{"demonstrated_epsilon": 3.0}, {"n_draws": 0}, {"n_shown": -1}])
def test_what_cannot_be_compared_is_refused(settings):
    with pytest.raises(UserError, match="expected"):
        ComparisonConfig(**settings)
