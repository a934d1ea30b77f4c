from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary, reconstruct
from dtinterp.dictionary.fit import of_directions
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.features.truth.recovery import item_recovery
from dtinterp.subject.items import block_of_item, item_directions, item_rate

D_MODEL = 24


@pytest.fixture
def W_obs(items: Tensor) -> Tensor:
    return torch.randn(items.shape[1], D_MODEL, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def rate(items: Tensor) -> Tensor:
    return item_rate(items, torch.arange(len(items)))


def _basis(W_obs: Tensor, rate: Tensor, rows: Tensor) -> Dictionary:
    return of_directions(item_directions(W_obs, rate), rows, FitConfig(Items(4)), site="hook_obs_embed")


def test_the_rate_of_an_item_is_the_share_of_rows_that_show_it(items: Tensor) -> None:
    frame_id = torch.tensor([0, 2, 2, 1])
    torch.testing.assert_close(item_rate(items, frame_id), items[frame_id].mean(dim=0))


def test_a_row_is_the_mean_row_plus_the_directions_of_its_items(items: Tensor, W_obs: Tensor, rate: Tensor) -> None:
    rows = items @ W_obs
    expected = rows.mean(dim=0) + items @ item_directions(W_obs, rate)
    torch.testing.assert_close(expected, rows, rtol=1e-4, atol=1e-3)


def test_the_gauge_does_not_matter(items: Tensor, W_obs: Tensor, rate: Tensor) -> None:
    dictionary = _basis(W_obs, rate, items @ W_obs)
    offset = torch.randn(147, D_MODEL, generator=torch.Generator().manual_seed(1))
    shifted = item_recovery(dictionary, W_obs + offset[block_of_item()], rate)
    plain = item_recovery(dictionary, W_obs, rate)
    assert shifted.recovery.matched.estimate == pytest.approx(plain.recovery.matched.estimate, abs=1e-5)
    assert shifted.n_identifiable == plain.n_identifiable


def test_the_item_basis_recovers_itself_and_random_directions_nothing(
    items: Tensor, W_obs: Tensor, rate: Tensor
) -> None:
    dictionary = _basis(W_obs, rate, items @ W_obs)
    found = item_recovery(dictionary, W_obs, rate)
    assert found.recovery.matched.estimate == pytest.approx(1, abs=1e-5)
    assert found.recovery.recall == 1
    drawn = torch.randn(dictionary.W_dec.shape, generator=torch.Generator().manual_seed(5))
    nothing = item_recovery(replace(dictionary, W_dec=drawn), W_obs, rate).recovery
    assert nothing.matched.estimate == pytest.approx(nothing.chance.estimate, abs=0.03)


def test_only_items_that_come_and_go_can_be_recovered(items: Tensor, W_obs: Tensor, rate: Tensor) -> None:
    found = item_recovery(_basis(W_obs, rate, items @ W_obs), W_obs, rate)
    assert found.n_items == 980
    assert found.n_identifiable == int(((rate > 0) & (rate < 1)).sum())
    assert 0 < found.identifiable_rank <= D_MODEL


def test_the_item_basis_explains_rows_the_better_the_more_items_it_may_use(
    items: Tensor, W_obs: Tensor, rate: Tensor
) -> None:
    rows = items @ W_obs
    errors = []
    for k in (1, 4, 16):
        dictionary = replace(_basis(W_obs, rate, rows), kind=Items(k))
        errors.append(float((rows - reconstruct(dictionary, rows)).square().sum()))
    assert errors[0] > errors[1] > errors[2]
