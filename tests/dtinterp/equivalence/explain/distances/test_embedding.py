import torch

from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding
from dtinterp.foundation.seeding import generator


def test_what_all_frames_share_does_not_matter(x, frames_of):
    shifted = near_in_the_embedding(frames_of(x + 100 * torch.randn(16, generator=generator(1, "shift"))))
    torch.testing.assert_close(shifted.maximum, near_in_the_embedding(frames_of(x)).maximum, atol=1e-4, rtol=0)
