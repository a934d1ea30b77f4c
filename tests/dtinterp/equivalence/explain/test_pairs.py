import torch

from dtinterp.equivalence.explain.pairs import pair_in_contexts
from dtinterp.equivalence.explain.smallest_set import PairConfig
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.foundation.seeding import generator


def test_a_pair_is_compared_in_held_out_windows_of_both(model, trajectories, halves, items, contexts):
    pair = contexts.frame_id.unique()[:2]
    config = PairConfig(n_contexts=3)
    found = pair_in_contexts(model, trajectories, halves.held_out, items=items, pair=pair, config=config)
    drawn = draw_contexts(
        trajectories,
        halves.held_out,
        frame_id=pair,
        n_contexts=3,
        n_slots=10,
        generator=generator(0, "pair/contexts"),
    )
    assert torch.equal(found.contexts.seen(), drawn.seen())
    assert found.bench.is_first == tuple((found.contexts.frame_id == pair[0]).tolist())
    torch.testing.assert_close(found.bench.embedding, items[pair] @ model.W_obs)
