import pytest
import torch

from dtinterp.activations.sites import between_blocks
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.trials import at_once, embedded, layer_of, try_swaps
from dtinterp.foundation.errors import UserError


@pytest.fixture(scope="module")
def trials(model, contexts, items):
    return try_swaps(model, contexts, items=items, frame_id=contexts.frame_id.unique())


def _own(trials):
    return (trials.contexts.frame_id[:, None] == trials.frame_id).nonzero(as_tuple=True)


def test_a_frame_in_its_own_place_changes_exactly_nothing_at_any_site(model, contexts, items):
    for site in between_blocks(model):
        trials = try_swaps(model, contexts[::4], items=items, frame_id=contexts.frame_id.unique(), site=site)
        own = _own(trials)
        assert not trials.peak[own].any()
        assert not trials.mean[own].any()
        assert not trials.is_flipped[own].any()


def test_each_context_alone_gives_what_all_together_give(model, contexts, items, trials):
    for index in (0, 7, 30):
        frames = torch.cat([contexts.frame_id[index : index + 1], trials.frame_id[:3]]).unique()
        alone = try_swaps(model, contexts[torch.isin(contexts.frame_id, frames)], items=items, frame_id=frames)
        row = int((contexts.frame_id[: index + 1].unsqueeze(1) == frames).any(1).sum()) - 1
        columns = torch.isin(trials.frame_id, frames)
        torch.testing.assert_close(alone.peak[row], trials.peak[index][columns], atol=1e-5, rtol=0)


def test_contexts_that_differ_only_in_the_swapped_frame_give_the_same_as_apart(model, contexts, items):
    frames = contexts.frame_id.unique()[:3]
    one = contexts[contexts.frame_id == frames[0]][:1]
    twins = one[torch.zeros(3, dtype=torch.int64)]
    twins.windows.frame_id[torch.arange(3), int(one.slot)] = frames
    together = try_swaps(model, twins, items=items, frame_id=frames)
    torch.testing.assert_close(together.peak, together.peak.T)  # one context for all: who came first is no matter
    assert together.peak[0, 1] > 0


def test_the_embedding_and_the_stream_into_the_first_block_are_the_same_swap(model, contexts, items, trials):
    there = try_swaps(model, contexts, items=items, frame_id=trials.frame_id, site="blocks.0.hook_resid_pre")
    assert torch.equal(there.peak, trials.peak)


def test_after_the_last_block_only_the_decision_at_once_can_move(model, contexts, items, trials):
    last = try_swaps(model, contexts, items=items, frame_id=trials.frame_id, site="blocks.1.hook_resid_post")
    torch.testing.assert_close(last.peak, last.at_once)
    torch.testing.assert_close(last.at_once, trials.at_once, atol=1e-5, rtol=0)


def test_the_decision_at_once_is_one_of_all(trials):
    assert (trials.at_once <= trials.peak).all()
    assert (trials.at_once < trials.peak).any()
    slot = trials.contexts.slot[:, None]
    assert (trials.decision >= slot).all()
    assert torch.equal(trials.decision == slot, (trials.peak == trials.at_once) & (trials.decision == slot))


def test_sites_are_the_blocks_that_read_them(model):
    assert [layer_of(model, site) for site in between_blocks(model)] == [0, 0, 1, 1, 2]


def test_embeddings_are_those_of_the_model(model, items):
    assert torch.equal(embedded(model, items[:5]), items[:5] @ model.W_obs)


def test_a_site_that_the_model_does_not_have_is_refused(model, contexts, items):
    with pytest.raises(UserError, match=r"the site is 'blocks.9.hook_resid_pre', expected one of hook_obs_embed"):
        try_swaps(model, contexts, items=items, frame_id=contexts.frame_id.unique(), site="blocks.9.hook_resid_pre")


def test_the_decision_at_once_is_taken_in_both_directions(trials):
    found = at_once(trials)
    assert torch.equal(found, found.T)
    assert not found.diagonal().any()
    assert (found <= summed(trials).relation("toy").maximum).all()
