import pytest
import torch

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.equivalence.explain.distances.distance import ComparedFrames
from dtinterp.foundation.seeding import generator


@pytest.fixture
def x():
    return torch.randn(5, 16, generator=generator(0, "x"))


@pytest.fixture
def frames_of(model):
    """Frames with these embeddings, or shown as these items."""

    def frames(x, items=None, dictionary=None):
        return ComparedFrames(model, x if items is None else items, x, torch.arange(len(x)), dictionary)

    return frames


@pytest.fixture
def coordinates():
    """A dictionary whose features are the coordinates themselves, the two largest active."""
    eye, zero = torch.eye(16), torch.zeros(16)
    return Dictionary(eye, zero, eye, zero, TopK(2), "hook_obs_embed", "coordinates", torch.tensor(1.0))
