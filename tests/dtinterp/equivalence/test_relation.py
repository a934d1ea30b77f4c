from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.equivalence.relation import Relation


def _relation(divergence: Float32[Tensor, "frame frame"]) -> Relation:
    n = len(divergence)
    counts = torch.full((n, n), 2)
    return Relation(mean=divergence / 2, maximum=divergence, n_contexts=counts, frame_id=torch.arange(n), name="toy")


def test_a_distance_is_accepted() -> None:
    assert _relation(torch.tensor([[0.0, 0.5], [0.5, 0.0]])).n_frames == 2


@pytest.mark.parametrize(
    ("divergence", "complaint"),
    [
        ([[0.0, 0.5], [0.25, 0.0]], "not symmetric"),
        ([[0.0, torch.nan], [torch.nan, 0.0]], "not symmetric"),
        ([[0.0, 0.5], [0.5, 0.1]], "from itself"),
        ([[0.0, -0.5], [-0.5, 0.0]], "outside 0 to 1"),
        ([[0.0, 2.5], [2.5, 0.0]], "outside 0 to 1"),
    ],
)
def test_what_is_no_distance_is_refused(divergence: list[list[float]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        _relation(torch.tensor(divergence))


def test_a_bad_mean_is_refused_like_a_bad_maximum() -> None:
    sound = _relation(torch.tensor([[0.0, 0.5], [0.5, 0.0]]))
    with pytest.raises(ValueError, match="mean divergences of 'toy' are not symmetric"):
        replace(sound, mean=torch.tensor([[0.0, 0.5], [0.25, 0.0]]))


def test_a_pair_that_was_never_tried_is_refused() -> None:
    sound = _relation(torch.tensor([[0.0, 0.5], [0.5, 0.0]]))
    with pytest.raises(ValueError, match="never tried"):
        replace(sound, n_contexts=torch.tensor([[1, 0], [0, 1]]))
