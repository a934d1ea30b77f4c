import pytest
import torch

from dtinterp.equivalence.partition import partition_of
from dtinterp.equivalence.swaps.trials import embedded, layer_of, try_swaps
from dtinterp.equivalence.swaps.within_class import Swapper, Tries, attempt, mates, norm_matched, some_of, strangers
from dtinterp.foundation.seeding import generator


@pytest.fixture(scope="module")
def frame_id(contexts):
    return contexts.frame_id.unique()


@pytest.fixture(scope="module")
def partition(frame_id):
    return partition_of(torch.arange(len(frame_id)) // 4, "fours")


@pytest.fixture(scope="module")
def embedding(model, items, frame_id):
    return embedded(model, items[frame_id])


def _attempt(model, contexts, items, frame_id, drafts, layer=0):
    places = (contexts.frame_id[:, None] == frame_id).int().argmax(1)
    return attempt(Swapper(model, items, layer), contexts, places=places, drafts=drafts)


@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_pre"])
def test_class_mates_do_what_they_do_among_all_swaps(model, contexts, items, partition, embedding, site):
    frame_id = contexts.frame_id.unique()
    (found,) = _attempt(model, contexts, items, frame_id, [mates(partition, embedding)], layer_of(model, site))
    every = try_swaps(model, contexts, items=items, frame_id=frame_id, site=site)
    assert len(found) == 3 * len(contexts)
    torch.testing.assert_close(found.peak, every.peak[found.context, found.stand_in], atol=1e-5, rtol=0)
    assert torch.equal(found.decision, every.decision[found.context, found.stand_in].long())
    assert (found.decision > contexts.slot[found.context]).any()
    assert torch.equal(partition.label[found.place], partition.label[found.stand_in])
    assert (found.place != found.stand_in).all()
    assert torch.equal(frame_id[found.place], contexts.frame_id[found.context])


def test_tries_one_after_the_other_keep_their_contexts(model, contexts, items, frame_id, partition, embedding):
    parts = []
    for chosen in (contexts[:5], contexts[5:12], contexts[20:23]):
        (found,) = _attempt(model, chosen, items, frame_id, [mates(partition, embedding)])
        parts.append(Tries(chosen, found))
    together = parts[0] + parts[1] + parts[2]
    swap, context = 0, together.contexts[together.attempts.context]
    for part in parts:
        own = part.contexts[part.attempts.context]
        for row in range(len(part.attempts)):
            assert torch.equal(context.windows.step[swap], own.windows.step[row])
            assert context.slot[swap] == own.slot[row]
            assert frame_id[together.attempts.place[swap]] == context.frame_id[swap]
            assert together.attempts.peak[swap] == part.attempts.peak[row]
            swap += 1
    assert swap == len(together.attempts) == 3 * 15


def test_strangers_are_as_many_and_of_other_classes(model, contexts, items, frame_id, partition, embedding):
    (found,) = _attempt(
        model, contexts[:8], items, frame_id, [strangers(partition, embedding, generator(0, "strangers"))]
    )
    every = try_swaps(model, contexts, items=items, frame_id=frame_id)
    torch.testing.assert_close(found.peak, every.peak[found.context, found.stand_in], atol=1e-5, rtol=0)
    assert len(found.stand_in.unique()) > 3  # drawn anew for each context
    assert torch.bincount(found.context).tolist() == [3] * 8
    assert (partition.label[found.place] != partition.label[found.stand_in]).all()


def test_made_up_embeddings_are_as_far_away_as_class_mates(partition, embedding):
    draft = norm_matched(mates(partition, embedding), embedding, generator(0, "noise"))
    found = draft(5)
    made_up = found.embedding
    expected = (embedding[found.place] - embedding[5]).norm(dim=1)
    torch.testing.assert_close((made_up - embedding[5]).norm(dim=1), expected)
    basis = torch.linalg.qr((embedding - embedding.mean(0)).T).Q
    away = made_up - embedding[5]
    torch.testing.assert_close(away @ basis @ basis.T, away, atol=1e-4, rtol=0)


def test_where_there_is_one_class_there_are_no_strangers(embedding):
    whole = partition_of(torch.zeros(len(embedding), dtype=torch.int64), "one")
    assert len(strangers(whole, embedding, generator(0, "strangers"))(0)) == 0


def test_some_of_a_draft_are_drawn_anew_and_keep_their_embeddings(partition, embedding):
    drawn = some_of(strangers(partition, embedding, generator(0, "strangers")), 2, generator(1, "some"))
    found = [drawn(0) for _ in range(12)]
    assert {len(each) for each in found} == {2}
    assert len({tuple(each.place.tolist()) for each in found}) > 1
    assert all(torch.equal(each.embedding, embedding[each.place]) for each in found)
    all_mates = some_of(mates(partition, embedding), 9, generator(1, "some"))(0)
    assert sorted(all_mates.place.tolist()) == [1, 2, 3]


def test_each_draft_gives_what_it_gives_alone(model, contexts, items, frame_id, partition, embedding):
    """Two drafts share a context's past; neither's swaps are taken for the other's."""
    other = partition_of(torch.arange(len(frame_id)) % 4, "threes")
    drafts = [mates(partition, embedding), mates(other, embedding)]
    together = _attempt(model, contexts[:6], items, frame_id, drafts)
    for draft, found in zip(drafts, together, strict=True):
        (alone,) = _attempt(model, contexts[:6], items, frame_id, [draft])
        assert torch.equal(found.stand_in, alone.stand_in)
        torch.testing.assert_close(found.peak, alone.peak, atol=1e-5, rtol=0)
