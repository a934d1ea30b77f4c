from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, splice
from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.equivalence.swaps.interchange import Swaps, swap_frames
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network import continuation as continuation_module
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.fixture(scope="module")
def frame_id(contexts: Contexts) -> Int64[Tensor, " frame"]:
    return contexts.frame_id.unique()


@pytest.fixture(scope="module")
def swaps(
    model: DecisionTransformer,
    contexts: Contexts,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> Swaps:
    return swap_frames(model, contexts, items=items, frame_id=frame_id)


DELAY = 4
"""Slots after which the model below acts on what it saw."""


def _remembering() -> DecisionTransformer:
    """Return a model that acts by the first item of the frame that it saw `DELAY` slots ago, and by nothing else.

    One head looks 4 slots back by position, or, where there is nothing, at the return-to-go beside it; it copies the
    item, and the logit of action 0 is 50 times what it found.
    """
    item, found, place = 0, 1, 2  # dimensions; a place for each of the 29 tokens follows
    shape = ModelConfig(
        d_model=32, n_layers=1, n_heads=1, d_mlp=1, n_items=1, normalization_type="none", position_embedding=True
    )
    model = DecisionTransformer(shape, generator(0, "toy"))
    attention = model.layers[0].attn
    assert model.W_pos is not None
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.W_obs[0, item] = 1
        for token in range(29):
            model.W_pos[token, place + token] = 1
            attention.W_K[0, place + token, place + token] = 1000
            attention.W_Q[0, place + token, place + max(token - 1, 0)] = 0.5
            attention.W_Q[0, place + token, place + max(token - 3 * DELAY, 0)] = 1
        attention.W_V[0, item, item] = 1
        attention.W_O[0, item, found] = 1
        model.W_U[found, 0] = 50
    return model


def _swapped_logits(
    model: DecisionTransformer,
    context: Windows,
    slot: int,
    frame: int,
    items: Float32[Tensor, "table item"],
) -> Float32[Tensor, "slot action"]:
    """The logits with one frame's embedding spliced in at one slot, by the hooked path, one window at a time."""

    def put_in(vectors: Float32[Tensor, "batch slot d_model"]) -> Float32[Tensor, "batch slot d_model"]:
        edited = vectors.clone()
        edited[:, slot] = items[frame] @ model.W_obs
        return edited

    return model.run_with_hooks(
        context, items, fwd_hooks=[splice(OBSERVATION_EMBEDDING, put_in, model.cfg.observation_tokens)]
    )[0]


@torch.no_grad()
def test_it_is_what_a_slow_loop_finds_by_splicing_one_embedding_at_a_time(
    model: DecisionTransformer,
    contexts: Contexts,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    swaps: Swaps,
) -> None:
    for row, frame in enumerate(frame_id.tolist()[:4]):
        own = contexts[contexts.frame_id == frame]
        for column, stand_in in enumerate(frame_id.tolist()):
            largest, means, flips = 0.0, [], 0
            for index in range(len(own)):
                slot = int(own.slot[index])
                context = own.windows[index : index + 1]
                intact = model.run_with_hooks(context, items, fwd_hooks=[])[0]
                swapped = _swapped_logits(model, context, slot, stand_in, items)
                moved = [js_divergence(intact[t], swapped[t]).item() for t in range(slot, 10)]
                largest, means = max(largest, *moved), [*means, sum(moved) / len(moved)]
                flips += any(int(intact[t].argmax()) != int(swapped[t].argmax()) for t in range(slot, 10))
            assert float(swaps.maximum[row, column]) == pytest.approx(largest, abs=1e-5)
            assert float(swaps.mean[row, column]) == pytest.approx(sum(means) / len(means), abs=1e-5)
            assert int(swaps.n_flips[row, column]) == flips


def test_decisions_before_the_swap_are_untouched(
    model: DecisionTransformer, contexts: Contexts, items: Float32[Tensor, "table item"]
) -> None:
    late = contexts[contexts.slot >= 5][:1]
    slot = int(late.slot)
    intact, swapped = model(late.windows, items)[0], _swapped_logits(model, late.windows, slot, 0, items)
    torch.testing.assert_close(intact[:slot], swapped[:slot], atol=1e-4, rtol=0)
    assert (intact[slot:] - swapped[slot:]).abs().amax(1).min() > 1e-2


def test_a_frame_in_its_own_place_is_exactly_zero_away(swaps: Swaps) -> None:
    assert not swaps.maximum.diagonal().any()
    assert not swaps.mean.diagonal().any()
    assert not swaps.n_flips.diagonal().any()
    assert (swaps.maximum + torch.eye(len(swaps.frame_id)) > 0).all()


def test_a_batch_of_swaps_is_the_swaps_one_by_one(
    model: DecisionTransformer,
    contexts: Contexts,
    items: Float32[Tensor, "table item"],
    swaps: Swaps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(continuation_module, "BATCH", 1)
    single = swap_frames(model, contexts, items=items, frame_id=swaps.frame_id)
    torch.testing.assert_close(single.mean, swaps.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(single.n_flips, swaps.n_flips)


def test_the_worst_swap_can_be_opened_again(
    model: DecisionTransformer,
    trajectories: Trajectories,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    swaps: Swaps,
) -> None:
    for pair in ((0, 1), (3, 2), (5, 11)):
        context = window(trajectories, swaps.worst_step[pair][None])
        slot, decision = int(swaps.worst_slot[pair]), int(swaps.worst_decision[pair])
        assert context.frame_id[0, slot] == frame_id[pair[0]]
        swapped = _swapped_logits(model, context, slot, int(frame_id[pair[1]]), items)
        divergence = js_divergence(model(context, items)[0, decision], swapped[decision]).item()
        assert divergence == pytest.approx(float(swaps.maximum[pair]), abs=1e-5)


def test_the_relation_takes_both_directions(swaps: Swaps) -> None:
    relation = swaps.relation("toy")
    for a, b in ((0, 1), (4, 2), (3, 3)):
        assert relation.maximum[a, b] == max(swaps.maximum[a, b], swaps.maximum[b, a])
        n_a, n_b = int(swaps.n_contexts[a]), int(swaps.n_contexts[b])
        total = n_a * float(swaps.mean[a, b]) + n_b * float(swaps.mean[b, a])
        assert float(relation.mean[a, b]) == pytest.approx(total / (n_a + n_b), rel=1e-6)
        assert relation.n_contexts[a, b] == (n_a + n_b if a != b else n_a)


def test_contexts_weigh_alike_where_frames_have_different_numbers_of_them(
    model: DecisionTransformer, contexts: Contexts, items: Float32[Tensor, "table item"]
) -> None:
    first, second = contexts.frame_id.unique()[:2].tolist()
    few = contexts[torch.cat([(contexts.frame_id == f).nonzero().squeeze(1)[:n] for f, n in ((first, 1), (second, 3))])]
    swaps = swap_frames(model, few, items=items, frame_id=torch.tensor([first, second]))
    assert swaps.n_contexts.tolist() == [1, 3]
    assert swaps.n_decisions.tolist() == [int((10 - few.slot)[few.frame_id == f].sum()) for f in (first, second)]
    expected = (float(swaps.mean[0, 1]) + 3 * float(swaps.mean[1, 0])) / 4
    assert float(swaps.relation("toy").mean[0, 1]) == pytest.approx(expected, rel=1e-6)


def test_what_shows_only_later_is_seen(trajectories: Trajectories, halves: Split) -> None:
    frame_id = most_visited(trajectories, halves.held_out, 20).frame_id
    items = torch.zeros(len(trajectories.frames), 1)
    items[frame_id[::2]] = 1
    contexts = draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=frame_id,
        n_contexts=4,
        n_slots=10,
        generator=generator(0, "contexts"),
    )
    relation = swap_frames(_remembering(), contexts, items=items, frame_id=frame_id).relation("toy")
    found = classes(relation, 0.01)
    assert torch.equal(found.label, torch.arange(20) % 2)
    assert relation.maximum[0, 1] > 0.6  # one action for sure against one of seven

    brief = contexts[9 - contexts.slot < DELAY]  # too little future: all would seem alike
    tried = brief.frame_id.unique()
    assert len(tried) > 1
    assert not swap_frames(_remembering(), brief, items=items, frame_id=tried).maximum.any()


def test_frames_that_differ_in_ignored_items_only_are_interchangeable(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> None:
    blind = DecisionTransformer(model.cfg, generator(0, "blind"))
    blind.load_state_dict(model.state_dict())
    ignored = torch.cat([torch.arange(5 * 49, 7 * 49)])  # key and ball, at every cell
    with torch.no_grad():
        blind.W_obs[ignored] = 0
    what_it_sees = items.clone()
    what_it_sees[:, ignored] = 0
    twin = what_it_sees.unique(dim=0, return_inverse=True)[1]
    frame_id = most_visited(trajectories, halves.held_out, 24).frame_id
    contexts = draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=frame_id,
        n_contexts=2,
        n_slots=10,
        generator=generator(0, "contexts"),
    )
    divergence = swap_frames(blind, contexts, items=items, frame_id=frame_id).relation("blind").maximum
    are_twins = twin[frame_id][:, None] == twin[frame_id]
    assert are_twins.sum() > 24  # there are some besides each frame and itself
    assert divergence[are_twins].max() < 1e-9
    assert divergence[~are_twins].min() > 1e-6


def test_a_frame_outside_the_table_is_refused(
    model: DecisionTransformer, contexts: Contexts, items: Float32[Tensor, "table item"]
) -> None:
    with pytest.raises(UserError, match=f"frame 500 is not in the table of {len(items)} frames: choose from 0"):
        swap_frames(model, contexts, items=items, frame_id=torch.tensor([0, 500]))


def test_a_frame_given_twice_is_refused(
    model: DecisionTransformer, contexts: Contexts, items: Float32[Tensor, "table item"]
) -> None:
    with pytest.raises(UserError, match="chosen twice"):
        swap_frames(model, contexts, items=items, frame_id=torch.tensor([1, 1]))


def test_contexts_of_other_frames_are_refused(
    model: DecisionTransformer,
    contexts: Contexts,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> None:
    with pytest.raises(UserError, match=f"about frame {frame_id[-1]}, which was not chosen"):
        swap_frames(model, contexts, items=items, frame_id=frame_id[:-1])


def test_a_frame_without_contexts_is_refused(
    model: DecisionTransformer,
    contexts: Contexts,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
) -> None:
    others = contexts[contexts.frame_id != frame_id[0]]
    with pytest.raises(UserError, match=f"frame {frame_id[0]} has no contexts"):
        swap_frames(model, others, items=items, frame_id=frame_id)


def test_the_windows_are_left_as_they_were(
    model: DecisionTransformer, contexts: Contexts, items: Float32[Tensor, "table item"]
) -> None:
    before = replace(contexts.windows, frame_id=contexts.windows.frame_id.clone())
    swap_frames(model, contexts, items=items, frame_id=contexts.frame_id.unique())
    assert torch.equal(contexts.windows.frame_id, before.frame_id)
