"""Classes that joint replacement breaks, and classes that it cannot."""

import pytest
import torch

from dtinterp.equivalence.classes.joint_refinement import (
    MEMBERS,
    RANDOM,
    REPRESENTATIVES,
    WORST,
    JointTrialConfig,
    TrialHistories,
)
from dtinterp.equivalence.classes.joint_refinement import refine_jointly as refine
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.joint import Player, histories_of
from dtinterp.foundation.seeding import generator

N_FRAMES = 10
CONFIG = JointTrialConfig(epsilon=0.05, n_rounds=3, n_fresh=60, n_verified=60, n_searched=10)


@pytest.fixture(scope="module")
def bench(model, trajectories, halves, items):
    frame_id = most_visited(trajectories, halves.held_out, N_FRAMES).frame_id
    histories = histories_of(
        trajectories, halves.held_out, frame_id=frame_id, n_slots=10, generator=generator(0, "histories")
    )
    nothing = torch.zeros(N_FRAMES, N_FRAMES)
    relation = Relation(nothing, nothing, torch.ones(N_FRAMES, N_FRAMES, dtype=torch.int64), frame_id, "nothing known")
    return Player(model, items, frame_id), histories, relation


def test_what_nothing_told_apart_before_is_split_and_the_result_refines_it(bench):
    player, histories, relation = bench
    pairs = partition_of(torch.arange(N_FRAMES) // 2, "pairs")
    found = refine(player, TrialHistories(histories), pairs, relation, maximum=relation.maximum, config=CONFIG)
    assert found.partition.n_classes > pairs.n_classes
    joined = (found.partition.label[:, None] == found.partition.label).nonzero()
    assert (pairs.label[joined[:, 0]] == pairs.label[joined[:, 1]]).all()
    assert (found.maximum[joined[:, 0], joined[:, 1]] <= CONFIG.epsilon).all()
    assert not relation.maximum.any()
    assert found.trial is not None
    assert [each.n_histories for each in found.trial.rounds] == [60] * len(found.trial.rounds)
    assert [each.n_classes for each in found.trial.rounds][-1] == found.partition.n_classes


def test_observations_apart_never_fail_and_the_control_is_one(bench):
    player, histories, relation = bench
    apart = partition_of(torch.arange(N_FRAMES), "apart")
    found = refine(player, TrialHistories(histories), apart, relation, maximum=relation.maximum, config=CONFIG)
    assert torch.equal(found.partition.label, apart.label)
    assert found.trial is not None
    assert found.trial.has_ended
    arms = {arm.shown: arm for arm in found.trial.arms}
    assert list(arms) == [REPRESENTATIVES, MEMBERS, WORST, RANDOM]
    assert all(arm.beyond.estimate == arm.maximum == 0 and arm.beyond_replaced is None for arm in arms.values())


def test_random_classes_fail_where_the_model_tells_their_members_apart(bench):
    player, histories, relation = bench
    one = partition_of(torch.zeros(N_FRAMES, dtype=torch.int64), "one")
    config = JointTrialConfig(epsilon=1.0, n_rounds=1, n_fresh=60, n_verified=60, n_searched=10)
    trial = refine(player, TrialHistories(histories), one, relation, maximum=relation.maximum, config=config).trial
    assert trial is not None
    arms = {arm.shown: arm for arm in trial.arms}
    assert arms[WORST].maximum >= arms[REPRESENTATIVES].mean
    assert arms[MEMBERS].n_replaced > 0
    assert arms[RANDOM].mean > 0


def test_nothing_is_tried_in_no_rounds(bench):
    player, histories, relation = bench
    one = partition_of(torch.zeros(N_FRAMES, dtype=torch.int64), "one")
    config = JointTrialConfig(n_rounds=0)
    found = refine(player, TrialHistories(histories), one, relation, maximum=relation.maximum, config=config)
    assert found.partition is one
    assert found.trial is None


def test_what_is_set_aside_is_tested_and_refines_nothing(bench):
    player, histories, relation = bench
    one = partition_of(torch.zeros(N_FRAMES, dtype=torch.int64), "one")
    config = JointTrialConfig(epsilon=0.3, n_rounds=1, n_fresh=40, n_verified=25, n_searched=0)
    aside = TrialHistories(histories[:40], tested=histories[40:])
    found, alone = (
        refine(player, each, one, relation, maximum=relation.maximum, config=config)
        for each in (aside, TrialHistories(histories[:40]))
    )
    assert torch.equal(found.partition.label, alone.partition.label)
    assert found.trial is not None
    assert alone.trial is not None
    assert {arm.n_histories for arm in found.trial.arms} == {25}
    assert alone.trial.arms == ()
