from dataclasses import replace

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.equivalence.certify import certify_inputs
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.comparisons.compared_partitions import (
    LOOKS,
    UNTRAINED,
    Certified,
    model_partitions,
    world_relations,
)
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.explain.distances.distance import compared_frames, relative_distance
from dtinterp.equivalence.explain.distances.image import near_in_the_image
from dtinterp.equivalence.partition import classes_of_count, partition_of
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.equivalence.truth.agreement import compare
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.beliefs import same_window_beliefs

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
TAU = 0.3


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    """Sixteen directions at random, of which the two that fit best are active."""
    directions, zero = torch.randn(16, 16, generator=generator(0, "dictionary")), torch.zeros(16)
    parts = (directions, zero, directions.T.contiguous(), zero)
    return Dictionary(*parts, TopK(2), "hook_obs_embed", "drawn", torch.tensor(1.0))


@pytest.fixture(scope="module")
def certified(model, trajectories, halves, items, dictionary) -> Certified:
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    report = certify_inputs(CertifyInputs(model, untrained, trajectories, halves.held_out, items), CONFIG)
    return Certified(
        "toy",
        model,
        untrained,
        report,
        items,
        window(trajectories, halves.held_out[:60]),
        trajectories.frames,
        dictionary,
    )


@pytest.fixture(scope="module")
def partitions(certified):
    return {each.name: each for each in model_partitions(certified, tau=TAU)}


def test_relations_without_a_threshold_are_cut_into_as_many_classes(certified, partitions):
    n_classes = certified.report.partition.n_classes
    with_one = {"same code, within 0.3", "same active features, exactly"}
    assert partitions.keys() > with_one
    assert all(each.n_classes <= n_classes for name, each in partitions.items() if name not in with_one)
    assert partitions["interchangeable"].n_classes == n_classes


def test_the_controls_come_last(partitions):
    assert list(partitions)[-2:] == [LOOKS, UNTRAINED] == ["looks alone", "untrained model"]


def test_without_a_dictionary_there_are_no_codes(certified):
    names = [each.name for each in model_partitions(replace(certified, dictionary=None), tau=TAU)]
    assert not any("code" in name or "features" in name for name in names)


def test_exactly_the_same_active_features_are_equal_sets(certified, dictionary, partitions):
    x = embedded(certified.model, certified.items[certified.report.chosen.frame_id])
    sets = [frozenset(row.nonzero().flatten().tolist()) for row in encode_dense(dictionary, x)]
    numbers = {each: number for number, each in enumerate(dict.fromkeys(sets))}
    expected = partition_of(torch.tensor([numbers[each] for each in sets]), "by hand")
    assert 1 < expected.n_classes < len(sets)
    assert torch.equal(partitions["same active features, exactly"].label, expected.label)


def test_no_two_codes_of_a_class_are_further_apart_than_tau_and_no_two_classes_could_be_one(
    certified, dictionary, partitions
):
    x = embedded(certified.model, certified.items[certified.report.chosen.frame_id])
    distance = relative_distance(encode_dense(dictionary, x)).float()
    found = partitions["same code, within 0.3"]
    members = [found.members(label) for label in range(found.n_classes)]
    assert 1 < len(members) < len(x)
    assert all(distance[each][:, each].max() <= TAU for each in members)
    pairs = [(one, other) for one in members for other in members if one is not other]
    assert all(distance[one][:, other].max() > TAU for one, other in pairs)


def test_what_the_world_makes_of_the_frames_ends_with_beliefs_and_demonstrated_actions(certified, graph, trajectories):
    found = world_relations(certified, graph, trajectories, 0.05)
    names = [each.name for each in found]
    assert names[3:] == ["same belief", "same belief given the window", "same demonstrated actions"]
    place = FrameTable.of_graph(graph).rows_of(certified.report.frames)
    label = torch.from_numpy(same_window_beliefs(graph, certified.model.cfg.n_slots)).long()[place]
    assert torch.equal(found[4].label, partition_of(label, "by hand").label)


def test_classes_by_looks_know_nothing_but_looks(certified, partitions):
    frames = compared_frames(certified.model, certified.items, certified.report.chosen.frame_id)
    expected = classes_of_count(near_in_the_image(frames), partitions[LOOKS].n_classes)
    assert torch.equal(partitions[LOOKS].label, expected.label)
    other = replace(certified, model=certified.untrained)
    assert torch.equal(next(p for p in model_partitions(other, tau=TAU) if p.name == LOOKS).label, expected.label)


def test_looks_go_a_long_way_and_relabelled_looks_go_nowhere(model, graph, trajectories, items):
    """Why an untrained model stands above chance: frames that look alike are often bisimilar."""
    truth = world_partitions(graph, trajectories.frames)[2]
    rng, frames = numpy_generator(0, "looks"), compared_frames(model, items, torch.arange(len(items)))
    looks = classes_of_count(near_in_the_image(frames), truth.n_classes)
    found = compare(looks, truth, n_draws=200, generator=rng)
    assert found.ari.estimate > found.random.high + 0.2
    relabelled = []
    for seed in range(20):
        label = looks.label[torch.randperm(len(items), generator=generator(seed, "shuffle"))]
        relabelled.append(compare(partition_of(label, "relabelled"), truth, n_draws=1, generator=rng).ari.estimate)
    assert abs(sum(relabelled) / len(relabelled)) < 0.05
