import pytest
import torch

from dtinterp.equivalence.explain.distances.active_features import same_active_features


def test_active_features_by_hand(frames_of, coordinates):
    x = torch.zeros(4, 16)
    x[0, [0, 1]] = torch.tensor([2.0, 1.0])
    x[1, [0, 1]] = torch.tensor([1.0, 2.0])
    x[2, [0, 2]] = torch.tensor([2.0, 1.0])
    x[3, [4, 5]] = torch.tensor([2.0, 1.0])
    features = same_active_features(frames_of(x, dictionary=coordinates)).maximum
    assert features[0].tolist() == pytest.approx([0, 0, 1 - 1 / 3, 1])
