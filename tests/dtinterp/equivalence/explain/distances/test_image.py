import pytest
import torch

from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding
from dtinterp.equivalence.explain.distances.image import near_in_the_image


def test_images_are_as_far_apart_as_an_embedding_that_keeps_every_item_says(x, frames_of):
    items = (x > 0).float()
    image = near_in_the_image(frames_of(x, items))
    assert image.name == "near in the image"
    kept = near_in_the_embedding(frames_of(items @ torch.linalg.qr(x.T @ x + torch.eye(16)).Q))
    torch.testing.assert_close(image.maximum, kept.maximum, atol=1e-5, rtol=0)
    away = items - items.mean(0)
    by_hand = (items[1] - items[3]).norm() / (away[1].norm() + away[3].norm())
    assert image.maximum[1, 3].item() == pytest.approx(by_hand.item(), abs=1e-6)
