import pytest
import torch

from dtinterp.equivalence.explain.distances.codes import same_code


def test_codes_by_hand(frames_of, coordinates):
    x = torch.zeros(4, 16)
    x[0, [0, 1]] = torch.tensor([2.0, 1.0])
    x[1, [0, 1]] = torch.tensor([1.0, 2.0])
    x[2, [0, 2]] = torch.tensor([2.0, 1.0])
    x[3, [4, 5]] = torch.tensor([2.0, 1.0])
    codes = same_code(frames_of(x, dictionary=coordinates)).maximum
    assert codes[0].tolist() == pytest.approx([0, 2**0.5 / (2 * 5**0.5), 2**0.5 / (2 * 5**0.5), 10**0.5 / (2 * 5**0.5)])
