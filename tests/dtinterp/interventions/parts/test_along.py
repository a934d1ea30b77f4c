import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.parts.along import Along, ItemEmbedding, ObliqueAlong, along

D_MODEL, ROWS = 8, torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


def test_directions_that_are_not_orthonormal_are_refused() -> None:
    with pytest.raises(UserError, match=r"the direction has length 2, expected 1: divide it by its norm\."):
        along(torch.ones(4))
    with pytest.raises(UserError, match="the directions of a subspace are not orthogonal"):
        Along(random_directions(2, D_MODEL, torch.Generator().manual_seed(1)))


def test_what_is_moved_is_read_again() -> None:
    basis = torch.linalg.qr(torch.randn(D_MODEL, 3, generator=torch.Generator().manual_seed(2))).Q.T.contiguous()
    part, by = Along(basis), torch.randn(5, 3)
    torch.testing.assert_close(part.read(part.moved(ROWS, by)), part.read(ROWS) + by)
    assert torch.equal(part.moved(ROWS, torch.zeros(5, 3)), ROWS)


def test_an_oblique_direction_among_orthogonal_ones_is_itself() -> None:
    basis = torch.eye(D_MODEL)
    oblique = ObliqueAlong(basis[:1], "hook_obs_embed", basis[1:3])
    torch.testing.assert_close(oblique.directions, basis[:1])


def test_one_of_an_item_is_what_showing_it_adds() -> None:
    part = ItemEmbedding(torch.arange(8.0))
    shown = part.moved(ROWS, torch.ones(5, 1))
    torch.testing.assert_close(shown, ROWS + torch.arange(8.0))
    torch.testing.assert_close(part.read(shown), part.read(ROWS) + 1)
