"""Classes that a planted player acts by, and classes that it does not."""

import pytest
import torch

from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.equivalence.behaviour.abstraction_error import (
    INTERVENTIONS,
    AbstractionConfig,
    AbstractionOutcome,
    abstraction_errors,
)
from dtinterp.equivalence.partition import Partition, partition_of
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.joint import NOT_COMPARED, ComparedHistories, Player, histories_of
from dtinterp.foundation.seeding import generator

N_FRAMES = 9
CONFIG = AbstractionConfig(n_histories=40, epsilon=0.05, seed=0)
TRIPLES = partition_of(torch.arange(N_FRAMES) // 3, "triples")


@pytest.fixture(scope="module")
def frame_id(trajectories, halves) -> torch.Tensor:
    return most_visited(trajectories, halves.held_out, N_FRAMES).frame_id


@pytest.fixture(scope="module")
def histories(trajectories, halves, frame_id) -> ComparedHistories:
    rng = generator(0, "histories")
    return histories_of(trajectories, halves.held_out[:400], frame_id=frame_id, n_slots=10, generator=rng)


@pytest.fixture(scope="module")
def relation(frame_id) -> Relation:
    nothing = torch.zeros(N_FRAMES, N_FRAMES)
    return Relation(nothing, nothing, torch.ones(N_FRAMES, N_FRAMES, dtype=torch.int64), frame_id, "nothing known")


@pytest.fixture(scope="module")
def by_triples(graph, trajectories, items, frame_id, reflexes) -> Player:
    """Acts by which third of the compared observations the newest one is in, and so it does on no others."""
    action = torch.full((len(graph.frames),), 6)
    action[FrameTable.of_graph(graph).rows_of(trajectories.frames[frame_id])] = TRIPLES.label
    return Player(reflexes(action), items, frame_id)


def _found(player, histories, relation, partition: Partition) -> dict[tuple[str, str], AbstractionOutcome]:
    found = abstraction_errors(player, histories, {"it": partition}, relation, CONFIG)
    assert tuple((each.set_in, each.others) for each in found) == INTERVENTIONS
    return {(each.set_in, each.others): each for each in found}


def test_classes_that_a_player_acts_by_predict_every_intervention(by_triples, histories, relation):
    found = _found(by_triples, histories, relation, TRIPLES)
    for each in found.values():
        assert each.n_histories == 40
        assert each.error.estimate == each.beyond.estimate == 0
        assert each.same_action.estimate == 1
    assert found["no slot", "drawn members"].effect == 0
    assert 0 < found["one slot", "as they are"].effect < found["every slot", "drawn members"].effect


def test_setting_every_class_changes_the_decision_wherever_the_newest_is_compared(by_triples, histories, relation):
    ends = histories[histories.place[:, -1] != NOT_COMPARED]
    found = _found(by_triples, ends, relation, TRIPLES)
    assert found["every slot", "drawn members"].effect == pytest.approx(1.0)  # another class is another action


def test_classes_across_those_that_it_acts_by_predict_badly(by_triples, histories, relation):
    across = partition_of(torch.arange(N_FRAMES) % 3, "across")
    ends = histories[histories.place[:, -1] != NOT_COMPARED]
    found = _found(by_triples, ends, relation, across)
    drawn = found["no slot", "drawn members"]
    assert drawn.error.estimate == pytest.approx(2 / 3, abs=0.25)  # a member is the representative in one of three
    assert drawn.beyond.estimate == pytest.approx(drawn.error.estimate, abs=1e-6)
    assert drawn.same_action.estimate == pytest.approx(1 - drawn.error.estimate, abs=1e-6)
    assert found["one slot", "drawn members"].error.estimate > 0.3


def test_what_is_left_out_is_perturbed_only_where_that_is_said(model, items, frame_id, histories, relation):
    # Of two classes one is a single observation: set to it, a slot shows that one in either model.
    player = Player(model, items, frame_id)
    apart = partition_of(torch.arange(N_FRAMES), "apart")
    for each in _found(player, histories, relation, apart).values():
        assert each.error.estimate == 0
    one = partition_of(torch.zeros(N_FRAMES, dtype=torch.int64), "one")
    found = _found(player, histories, relation, one)
    drawn = found["no slot", "drawn members"]
    assert drawn.error.estimate > 0
    assert found["every slot", "drawn members"].error == drawn.error  # there is no other class to set


def test_all_are_tried_by_the_same_numbers_and_a_seed_decides_them(model, items, frame_id, histories, relation):
    player, both = Player(model, items, frame_id), {"one": TRIPLES, "other": TRIPLES}
    found = abstraction_errors(player, histories, both, relation, CONFIG)
    half = len(found) // 2
    assert [each.effect for each in found[:half]] == [each.effect for each in found[half:]]
    again = abstraction_errors(player, histories, both, relation, CONFIG)
    assert found == again
    other = abstraction_errors(player, histories, both, relation, AbstractionConfig(40, 0.05, seed=1))
    assert [each.effect for each in found] != [each.effect for each in other]


def test_nothing_is_set_where_nothing_is_compared(model, items, frame_id, histories, relation):
    player = Player(model, items, frame_id)
    nowhere = ComparedHistories(histories.windows, torch.full_like(histories.place, NOT_COMPARED))
    assert abstraction_errors(player, nowhere, {"it": TRIPLES}, relation, CONFIG) == ()
    none = AbstractionConfig(n_histories=0, epsilon=0.05, seed=0)
    assert abstraction_errors(player, histories, {"it": TRIPLES}, relation, none) == ()
