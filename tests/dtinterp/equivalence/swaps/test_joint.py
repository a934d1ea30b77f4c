"""Joint replacement: laws over all ways of showing histories, and a planted culprit."""

import pytest
import torch

from dtinterp.dataset.packing import unlike
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.equivalence.swaps.joint import (
    NOT_COMPARED,
    Player,
    blamed,
    by_table,
    drawn,
    histories_of,
    worst_found,
)
from dtinterp.foundation.seeding import generator

N_FRAMES = 12


@pytest.fixture(scope="module")
def frame_id(trajectories, halves):
    return most_visited(trajectories, halves.held_out, N_FRAMES).frame_id


@pytest.fixture(scope="module")
def histories(trajectories, halves, frame_id):
    found = histories_of(
        trajectories, halves.held_out[:400], frame_id=frame_id, n_slots=10, generator=generator(0, "histories")
    )
    return found[:60]


@pytest.fixture(scope="module")
def player(model, items, frame_id):
    return Player(model, items, frame_id)


@pytest.fixture(scope="module")
def thirds():
    return partition_of(torch.arange(N_FRAMES) // 3, "thirds")


def test_histories_are_distinct_and_know_their_observations(histories, frame_id):
    seen = torch.cat([histories.windows.frame_id, histories.windows.action, histories.windows.mask.long()], dim=1)
    assert len(seen.unique(dim=0)) == len(histories)
    is_compared = histories.place != NOT_COMPARED
    assert torch.equal(frame_id[histories.place[is_compared]], histories.windows.frame_id[is_compared])
    assert not torch.isin(histories.windows.frame_id[~is_compared & histories.windows.mask], frame_id).any()


def test_histories_that_were_seen_are_left_out(trajectories, halves, frame_id):
    def ending(steps, **seen):
        rng = generator(0, "histories")
        return histories_of(trajectories, steps, frame_id=frame_id, n_slots=10, generator=rng, **seen).windows

    steps = halves.held_out[:400]
    early, late, new = ending(steps[:200]), ending(steps[200:]), ending(steps[200:], seen=steps[:200])
    assert 0 < len(new) < len(late)
    assert unlike(new, early).all()
    assert int(unlike(late, early).sum()) == len(new)


def test_shown_as_it_is_nothing_moves(player, histories):
    intact = player.logits(histories.windows)
    found = player.decide(histories, by_table(histories, torch.arange(N_FRAMES)), intact)
    assert not found.divergence.any()
    assert found.is_kept.all()
    assert not found.is_replaced.any()


def test_all_slots_are_replaced_at_once(player, histories, model, items, frame_id):
    intact = player.logits(histories.windows)
    table = torch.arange(N_FRAMES).roll(1)
    found = player.decide(histories, by_table(histories, table), intact)
    row = int((found.is_replaced & (histories.place != NOT_COMPARED).all(1)).nonzero()[0])
    window = player.shown(histories, found.stand_in)[torch.tensor([row])]
    assert torch.equal(window.frame_id[0], frame_id[table[histories.place[row]]])
    logits = model(window, items)[0, -1].detach()
    assert float(found.divergence[row]) == pytest.approx(float(js_divergence(logits, intact[row])), abs=1e-6)


def test_drawn_ones_are_members_and_every_member_is_drawn(histories, thirds):
    is_compared = histories.place != NOT_COMPARED
    own, pairs = histories.place[is_compared], set()
    for luck in torch.rand(30, *histories.place.shape, generator=generator(0, "luck")):
        stand_in = drawn(histories, thirds, luck)
        assert torch.equal(thirds.label[stand_in[is_compared]], thirds.label[own])
        assert (stand_in[~is_compared] == NOT_COMPARED).all()
        pairs |= set(zip(own.tolist(), stand_in[is_compared].tolist(), strict=True))
    assert len(pairs) == 3 * len(own.unique())


def test_the_search_finds_no_less_than_it_began_with_and_stays_in_the_classes(player, histories, thirds):
    intact = player.logits(histories.windows)
    begun = drawn(histories, thirds, torch.rand(histories.place.shape, generator=generator(1, "luck")))
    worst = worst_found(player, histories, thirds, intact, begun=begun)
    first, last = (player.decide(histories, each, intact).divergence for each in (begun, worst))
    assert (last >= first).all()
    assert (last > first).any()
    is_compared = histories.place != NOT_COMPARED
    assert torch.equal(thirds.label[worst[is_compared]], thirds.label[histories.place[is_compared]])


def test_the_swap_that_did_it_is_blamed(reflexes, graph, trajectories, items, halves, frame_id):
    """Planted: a model that minds nothing but the present observation, and turns at one of them."""
    where = FrameTable.of_graph(graph).rows_of(trajectories.frames)
    actions = torch.full((len(graph.frames),), 2)
    actions[where[frame_id[0]]] = 0
    player = Player(reflexes(actions), items, frame_id)
    histories = histories_of(trajectories, halves.held_out, frame_id=frame_id, n_slots=10, generator=generator(0, "h"))
    ends_there = histories[histories.place[:, -1] == 0][:5]
    intact = player.logits(ends_there.windows)
    everything_else = by_table(ends_there, torch.tensor([1, *range(1, N_FRAMES)]))
    found = blamed(player, ends_there, player.decide(ends_there, everything_else, intact), intact)
    assert {pair[:2] for pair in found} == {(0, 1)}
