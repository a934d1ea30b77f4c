import torch

from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding
from dtinterp.equivalence.explain.distances.heads import near_as_heads_read


def test_heads_are_blind_to_what_their_weights_ignore(x, frames_of):
    moved = x.clone()
    moved[0] += 5  # what centring takes away
    plain, there = (near_in_the_embedding(frames_of(rows)).maximum for rows in (x, moved))
    assert (there - plain)[0].abs().max() > 0.05
    plain, there = (near_as_heads_read(frames_of(rows)).maximum for rows in (x, moved))
    torch.testing.assert_close(there, plain, atol=1e-4, rtol=0)
