import pytest
import torch

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import TopK
from dtinterp.equivalence.explain.representations import (
    near_as_heads_read,
    near_in_the_embedding,
    near_in_the_image,
    relative_distance,
    same_active_features,
    same_code,
)
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator

FRAMES = torch.arange(5)


@pytest.fixture
def x():
    return torch.randn(5, 16, generator=generator(0, "x"))


def _dictionary(site="hook_obs_embed"):
    """Features are the coordinates themselves, the two largest active."""
    eye = torch.eye(16)
    zero = torch.zeros(16)
    return Dictionary(eye, zero, eye, zero, TopK(2), torch.tensor(1.0), site, "coordinates")


def test_relative_distance_is_zero_for_the_same_and_one_for_the_opposite(x):
    both = relative_distance(torch.stack([x[0], x[0], -x[0], 2 * x[0]]))
    assert both[0].tolist() == pytest.approx([0, 0, 1, 1 / 3])


def test_what_all_frames_share_does_not_matter(x):
    shifted = near_in_the_embedding(x + 100 * torch.randn(16, generator=generator(1, "shift")), FRAMES)
    torch.testing.assert_close(shifted.maximum, near_in_the_embedding(x, FRAMES).maximum, atol=1e-4, rtol=0)


def test_images_are_as_far_apart_as_an_embedding_that_keeps_every_item_says(x):
    items = (x > 0).float()
    image = near_in_the_image(items, FRAMES)
    assert image.name == "near in the image"
    kept = near_in_the_embedding(items @ torch.linalg.qr(x.T @ x + torch.eye(16)).Q, FRAMES)
    torch.testing.assert_close(image.maximum, kept.maximum, atol=1e-5, rtol=0)
    away = items - items.mean(0)
    by_hand = (items[1] - items[3]).norm() / (away[1].norm() + away[3].norm())
    assert image.maximum[1, 3].item() == pytest.approx(by_hand.item(), abs=1e-6)


def test_heads_are_blind_to_what_their_weights_ignore(model, x):
    moved = x.clone()
    moved[0] += 5  # what centring takes away
    plain, there = (near_in_the_embedding(rows, FRAMES).maximum for rows in (x, moved))
    assert (there - plain)[0].abs().max() > 0.05
    plain, there = (near_as_heads_read(model, rows, FRAMES).maximum for rows in (x, moved))
    torch.testing.assert_close(there, plain, atol=1e-4, rtol=0)


def test_codes_and_features_by_hand():
    x = torch.zeros(4, 16)
    x[0, [0, 1]] = torch.tensor([2.0, 1.0])
    x[1, [0, 1]] = torch.tensor([1.0, 2.0])
    x[2, [0, 2]] = torch.tensor([2.0, 1.0])
    x[3, [4, 5]] = torch.tensor([2.0, 1.0])
    features = same_active_features(_dictionary(), x, torch.arange(4)).maximum
    assert features[0].tolist() == pytest.approx([0, 0, 1 - 1 / 3, 1])
    codes = same_code(_dictionary(), x, torch.arange(4)).maximum
    assert codes[0].tolist() == pytest.approx([0, 2**0.5 / (2 * 5**0.5), 2**0.5 / (2 * 5**0.5), 10**0.5 / (2 * 5**0.5)])


def test_a_dictionary_of_another_site_is_refused(x):
    with pytest.raises(UserError, match=r"'coordinates' reads blocks.1.hook_resid_pre, expected hook_obs_embed"):
        same_code(_dictionary("blocks.1.hook_resid_pre"), x, FRAMES)
