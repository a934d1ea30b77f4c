"""Joint replacement: of a model whose classes are known, and against plays replaced one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.partition import one_member_each, partition_of
from dtinterp.equivalence.plays.joint import (
    CLASSES,
    DRAWN,
    JOINT,
    ONE_DRAWN,
    RANDOM,
    REPRESENTATIVE,
    UNVISITED,
    CheckedClasses,
    CheckPlaysConfig,
    members_drawn,
    replace_jointly,
)
from dtinterp.equivalence.plays.policy_tree import PlaysConfig, policy_tree
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.seeding import numpy_generator

LEFT, FORWARD, DONE = 0, 2, 6
CONFIG = CheckPlaysConfig(horizon=2, n_draws=2, n_representatives=3, n_searched=20)


def _checked(graph, label):
    n = len(graph.frames)
    nothing = torch.zeros(n, n)
    relation = Relation(nothing, nothing, torch.ones(n, n, dtype=torch.int64), torch.arange(n), "planted")
    return CheckedClasses(partition_of(label, "planted"), relation, torch.arange(n), epsilon=0.05)


@pytest.fixture(scope="module")
def short(graph):
    """The world with little time, so that aimless play ends soon."""
    return replace(graph, max_steps=7)


@pytest.fixture(scope="module")
def action(graph, forks):
    return torch.full((len(graph.frames),), FORWARD).index_fill(0, forks, LEFT)


@pytest.fixture(scope="module")
def by_action(short, action, left_at_the_fork):
    """What comes of classes that hold the frames with the same action."""
    return replace_jointly(left_at_the_fork, short, _checked(short, action), CONFIG)


def test_frames_that_a_policy_of_reflexes_answers_alike_may_be_shown_as_each_other(by_action):
    for shown in (REPRESENTATIVE, DRAWN):
        arm = by_action.arm(CLASSES, shown)
        assert arm.n_classes == 2
        assert all(shift.n_beyond == 0 and shift.agreement == 1 for shift in arm.shifts)
        assert all(shift.n_replaced > 0 for shift in arm.shifts)
    assert by_action.searched.maximum < 1e-6
    for shown in (REPRESENTATIVE, ONE_DRAWN):
        assert by_action.arm(CLASSES, shown).returns == pytest.approx(
            [by_action.intact] * (1 if shown == REPRESENTATIVE else 3)
        )


def test_rivals_stand_beside_and_random_merges_move_it(by_action):
    assert by_action.n_histories == 4 * 13
    unvisited = by_action.arm(UNVISITED, REPRESENTATIVE)
    assert unvisited.n_classes == by_action.n_met + 1
    assert unvisited.returns == pytest.approx([by_action.intact])  # what is never met may be anything
    random = by_action.arm(RANDOM, REPRESENTATIVE)
    assert random.n_classes == 2
    assert len(random.shifts) == 2
    assert len(random.returns) == 3
    assert {(arm.partition, arm.shown) for arm in by_action.arms} == {
        *((name, shown) for name in (CLASSES, UNVISITED) for shown in (REPRESENTATIVE, ONE_DRAWN, DRAWN)),
        (RANDOM, REPRESENTATIVE),
        (RANDOM, DRAWN),
    }


def test_one_frame_in_the_wrong_class_is_found(short, action, reflexes):
    start = int(short.frame_id[short.start[-1]])  # its class is shown as another frame
    stops = action.clone()
    stops[start] = DONE  # its class-mates walk on
    rivals = {"right ones": _checked(short, stops)}
    found = replace_jointly(reflexes(stops), short, _checked(short, action), CONFIG, rivals=rivals)
    n_shown = int((policy_tree(reflexes(stops), short, CONFIG).frame_id == start).sum())
    arm = found.arm(CLASSES, REPRESENTATIVE)
    assert 0 < arm.shifts[0].n_beyond == n_shown
    assert arm.agreement == 1 - n_shown / found.n_histories
    assert found.arm("right ones", REPRESENTATIVE).shifts[0].n_beyond == 0
    assert found.arm("right ones", DRAWN).agreement == 1
    assert found.searched is not None
    assert found.searched.maximum > 0.99


def test_replacing_is_showing_each_observation_as_another_one(model, short):
    label = torch.arange(len(short.frames)) // 4
    found = replace_jointly(model, short, _checked(short, label), CONFIG).arm(CLASSES, REPRESENTATIVE).shifts[0]
    plays = PlaysConfig(CONFIG.horizon)
    intact = policy_tree(model, short, plays).logits
    shown = policy_tree(model, short, plays, substitute=label * 4).logits
    moved = js_divergence(intact, shown)
    assert (found.mean, found.maximum) == pytest.approx((float(moved.mean()), float(moved.max())))
    assert found.n_beyond == int((moved > 0.05).sum())


def test_members_are_drawn_from_the_classes_each_as_often():
    label = torch.tensor([7, 3, 7, 7, 0])
    frame_id = torch.arange(5).repeat(3_000)
    drawn = members_drawn(label, frame_id, numpy_generator(0, "members"))
    assert torch.equal(label[drawn], label[frame_id])
    counts = torch.bincount(drawn[frame_id == 2], minlength=5)
    assert (counts[[0, 2, 3]] > 900).all()


def test_one_member_stands_for_its_class():
    partition = partition_of(torch.tensor([0, 1, 0, 0, 2]), "three")
    rng = numpy_generator(0, "members")
    draws = torch.stack([one_member_each(partition, rng) for _ in range(600)])
    assert (partition.label[draws] == partition.label).all()
    assert (draws[:, 0] == draws[:, 3]).all()
    assert (np.bincount(draws[:, 0].numpy(), minlength=5)[[0, 2, 3]] > 150).all()


def test_a_result_is_written_and_read(by_action, tmp_path):
    save(tmp_path / "plays", by_action, seed=0)
    assert load(tmp_path / "plays", JOINT) == by_action
