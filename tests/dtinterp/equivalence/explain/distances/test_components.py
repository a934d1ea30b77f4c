import torch

from dtinterp.equivalence.explain.distances.components import first_components
from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding


def test_in_all_their_components_embeddings_are_as_far_apart_as_they_are(frames_of):
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    frames = frames_of(x)
    torch.testing.assert_close(first_components(frames, 6).maximum, near_in_the_embedding(frames).maximum)
    fewer = first_components(frames, 2)
    assert fewer.name == "first 2 principal components"
    assert not torch.allclose(fewer.maximum, near_in_the_embedding(frames).maximum)
