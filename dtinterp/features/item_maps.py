"""Maps of each feature over the items of the view: what it goes with, and what it writes."""

import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.features.table import ItemMaps
from dtinterp.foundation.errors import UserError
from dtinterp.subject.items import block_of_item
from environments.vocabulary import CHANNELS, VIEW

VALUES: tuple[str, ...] = tuple(value for channel in CHANNELS for value in channel)
"""What one cell can hold: 11 objects, 6 colours and 3 states; the first axis of a map that is laid out on the view."""

Embedding = Float32[Tensor, "item d_model"]


def item_maps(
    value: Float32[Tensor, "row feature"],
    *,
    frame_id: Int64[Tensor, " row"],
    items: Float32[Tensor, "frame item"],
    W_dec: Float32[Tensor, "feature d_model"],
    W_obs: Embedding | None,
) -> ItemMaps:
    """Return both maps; `ItemMaps` gives their formulas. `items` are one-hot vectors of the frame table.

    Raises `UserError` where `W_obs` does not embed these items into the dictionary's space.
    """
    shown = torch.bincount(frame_id, minlength=len(items)).float()  # frame
    base_rate = shown @ items / shown.sum()
    seen = _seen(value, frame_id, items) - base_rate * (value > 0).any(dim=0)[:, None]
    return ItemMaps(seen, None if W_obs is None else _written(W_dec, W_obs.detach(), base_rate))


def on_view(item_map: Float[Tensor, "*shape item"]) -> Float[Tensor, "*shape value y x"]:
    """Lay items out as they are drawn: one 7x7 picture per value of `VALUES`, y downwards, x to the right."""
    return rearrange(item_map, "... (value x y) -> ... value y x", x=VIEW, y=VIEW)


def _seen(
    value: Float32[Tensor, "row feature"], frame_id: Int64[Tensor, " row"], items: Float32[Tensor, "frame item"]
) -> Float32[Tensor, "feature item"]:
    weight = value.new_zeros(len(items), value.shape[1]).index_add(0, frame_id, value.relu())  # frame feature
    return (weight.T @ items) / weight.sum(dim=0).clamp_min(1e-12)[:, None]


def _written(
    W_dec: Float32[Tensor, "feature d_model"], W_obs: Embedding, base_rate: Float32[Tensor, " item"]
) -> Float32[Tensor, "feature item"]:
    if tuple(W_obs.shape) != (len(base_rate), W_dec.shape[1]):
        raise UserError(
            f"W_obs has shape {tuple(W_obs.shape)}, expected {(len(base_rate), W_dec.shape[1])}: use the embedding of "
            "the model that the rows came from."
        )
    direction = torch.nn.functional.normalize(W_dec, dim=1)
    block = block_of_item().to(W_obs.device)
    average = W_obs.new_zeros(int(block.max()) + 1, W_obs.shape[1])
    average = average.index_add(0, block, base_rate[:, None] * W_obs)  # block d_model
    return direction @ (W_obs - average[block]).T
