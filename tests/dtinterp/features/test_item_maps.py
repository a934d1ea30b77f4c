import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.item_maps import VALUES, item_maps, on_view
from dtinterp.features.table import ItemMaps
from dtinterp.foundation.errors import UserError
from environments.vocabulary import CHANNELS, ITEMS, item_index, item_name

N_FEATURES, D_MODEL = 6, 10


@pytest.fixture
def frame_id(trajectories: Trajectories) -> Tensor:
    return trajectories.frame_id[:200].long()


@pytest.fixture
def value() -> Tensor:
    drawn = torch.randn(200, N_FEATURES, generator=torch.Generator().manual_seed(0))
    drawn[:, 2] = 0
    return drawn


@pytest.fixture
def W_dec() -> Tensor:
    return 3 * torch.randn(N_FEATURES, D_MODEL, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def W_obs() -> Tensor:
    return torch.randn(len(ITEMS), D_MODEL, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def maps(value: Tensor, frame_id: Tensor, items: Tensor, W_dec: Tensor, W_obs: Tensor) -> ItemMaps:
    return item_maps(value, frame_id=frame_id, items=items, W_dec=W_dec, W_obs=W_obs)


def test_the_map_of_what_is_seen_is_what_a_slow_loop_computes(
    maps: ItemMaps, value: Tensor, frame_id: Tensor, items: Tensor
) -> None:
    for feature in range(N_FEATURES):
        total, weight = torch.zeros(len(ITEMS)), 0.0
        for row in range(len(value)):
            active = max(0.0, float(value[row, feature]))
            total += active * items[frame_id[row]]
            weight += active
        expected = total / weight - items[frame_id].mean(dim=0) if weight else torch.zeros(len(ITEMS))
        torch.testing.assert_close(maps.seen[feature], expected, rtol=1e-4, atol=1e-5)


def test_the_map_of_what_is_written_is_what_a_slow_loop_computes(
    maps: ItemMaps, frame_id: Tensor, items: Tensor, W_dec: Tensor, W_obs: Tensor
) -> None:
    assert maps.written is not None
    base_rate = items[frame_id].mean(dim=0)
    channel_of = {value: channel for channel, values in enumerate(CHANNELS) for value in values}
    for name in ("key (2,6)", "green (2,6)", "wall (0,0)", "open (3,3)"):
        thing, cell = name.split(" ")
        same_cell = [item_index(f"{other} {cell}") for other in CHANNELS[channel_of[thing]]]
        average = sum(base_rate[index] * W_obs[index] for index in same_cell)
        expected = (W_dec / W_dec.norm(dim=1, keepdim=True)) @ (W_obs[item_index(name)] - average)
        torch.testing.assert_close(maps.written[:, item_index(name)], expected, rtol=1e-4, atol=1e-4)


def test_the_gauge_of_the_embedding_does_not_matter(
    maps: ItemMaps, value: Tensor, frame_id: Tensor, items: Tensor, W_dec: Tensor, W_obs: Tensor
) -> None:
    shifted = W_obs.clone()
    objects_of_a_cell = [item_index(f"{thing} (2,6)") for thing in CHANNELS[0]]
    shifted[objects_of_a_cell] += 5 * torch.randn(D_MODEL, generator=torch.Generator().manual_seed(3))
    again = item_maps(value, frame_id=frame_id, items=items, W_dec=W_dec, W_obs=shifted)
    assert maps.written is not None
    assert again.written is not None
    torch.testing.assert_close(again.written, maps.written, rtol=1e-3, atol=1e-4)


def test_over_the_items_in_view_what_is_written_averages_to_nothing(
    maps: ItemMaps, frame_id: Tensor, items: Tensor
) -> None:
    assert maps.written is not None
    torch.testing.assert_close(maps.written @ items[frame_id].mean(dim=0), torch.zeros(N_FEATURES), rtol=0, atol=1e-3)


def test_a_feature_that_is_an_item_has_its_largest_entries_there(frame_id: Tensor, items: Tensor) -> None:
    share = items[frame_id].mean(dim=0)
    varying = int((share - 0.5).abs().argmin())
    value = items[frame_id][:, [varying]]
    maps = item_maps(value, frame_id=frame_id, items=items, W_dec=torch.ones(1, 4), W_obs=None)
    assert maps.seen[0, varying] == maps.seen[0].max()
    torch.testing.assert_close(maps.seen[0, varying], 1 - share[varying])
    assert maps.written is None


def test_a_map_is_laid_out_as_the_view_is_drawn() -> None:
    laid_out = on_view(torch.arange(980.0))
    assert laid_out.shape == (20, 7, 7)
    for value, y, x in ((5, 6, 2), (12, 1, 0), (19, 3, 5)):
        assert item_name(int(laid_out[value, y, x])) == f"{VALUES[value]} ({x},{y})"


def test_many_maps_are_laid_out_at_once(maps: ItemMaps) -> None:
    assert torch.equal(on_view(maps.seen)[3], on_view(maps.seen[3]))


def test_an_embedding_of_another_model_is_refused(
    value: Tensor,
    frame_id: Tensor,
    items: Float32[Tensor, "frame item"],
    W_dec: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match=r"W_obs has shape \(147, 10\), expected \(980, 10\): use the embedding"):
        item_maps(value, frame_id=frame_id, items=items, W_dec=W_dec, W_obs=torch.zeros(147, D_MODEL))
