"""Items of the view in observation embeddings: how often rows show each, and what it adds to them."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.evaluation.matching import without_gauge
from environments.vocabulary import CHANNELS, ITEMS, VIEW

Embedding = Float32[Tensor, "item d_model"]


def item_directions(W_obs: Embedding, rate: Float32[Tensor, " item"]) -> Embedding:
    """Return what each item adds to a row beside the average of its cell and channel; see `without_gauge`.

    `rate` is the share of rows that show each item. A row of observation embeddings is the mean row plus the sum of the
    directions of the items that it shows.
    """
    return without_gauge(W_obs, block=block_of_item().to(W_obs.device), rate=rate.to(W_obs.device))


def item_rate(
    items: Float32[Tensor, "frame item"], frame_id: Tensor, weight: Int64[Tensor, " row"] | None = None
) -> Float32[Tensor, " item"]:
    """Return the share of rows that show each item; `frame_id` is the frame of each row, `weight` how often it counts.

    Without weights every row counts once.
    """
    counted = None if weight is None else weight.double()
    shown = torch.bincount(frame_id.long(), counted, minlength=len(items)).to(items.dtype)  # frame
    return shown @ items / shown.sum()


def block_of_item() -> Int64[Tensor, " item"]:
    """Return the cell and channel of each item as one number: a frame holds exactly one item of each block."""
    item = torch.arange(len(ITEMS))
    n_cells = VIEW * VIEW
    channel = torch.repeat_interleave(torch.arange(len(CHANNELS)), torch.tensor([len(values) for values in CHANNELS]))
    return channel[item // n_cells] * n_cells + item % n_cells
