"""How much of the known items' embedding a dictionary recovers."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.matching import Recovery, identifiable, recovery, without_gauge
from dtinterp.dictionary.rows.distinct import rank_of
from dtinterp.features.item_maps import block_of_item

Embedding = Float32[Tensor, "item d_model"]


@dataclass(frozen=True)
class ItemRecovery:
    """How well features agree with the items that the rows are known to be sums of, modulo the one-hot gauge."""

    recovery: Recovery
    """of the items that data can show, see `identifiable`"""
    n_items: int
    """all items, seen or not"""
    n_identifiable: int
    """items that some rows show and others do not"""
    identifiable_rank: int
    """dimensions that their gauge-free directions span: with fewer than items, they cannot all be told apart"""


def item_directions(W_obs: Embedding, rate: Float32[Tensor, " item"]) -> Embedding:
    """Return what each item adds to a row beside the average of its cell and channel; see `without_gauge`.

    `rate` is the share of rows that show each item. A row of observation embeddings is the mean row plus the sum of the
    directions of the items that it shows.
    """
    return without_gauge(W_obs, block=block_of_item().to(W_obs.device), rate=rate.to(W_obs.device))


def item_recovery(dictionary: Dictionary, W_obs: Embedding, rate: Float32[Tensor, " item"]) -> ItemRecovery:
    """Return how well decoder directions of observation embeddings recover the items' own."""
    directions = item_directions(W_obs, rate)
    truth = directions[identifiable(directions, rate=rate.to(W_obs.device))]  # true d_model
    return ItemRecovery(recovery(dictionary.W_dec, truth), len(W_obs), len(truth), rank_of(truth))


def item_rate(items: Float32[Tensor, "frame item"], frame_id: Tensor) -> Float32[Tensor, " item"]:
    """Return the share of rows that show each item; `frame_id` is the frame of each row."""
    shown = torch.bincount(frame_id.long(), minlength=len(items)).to(items.dtype)  # frame
    return shown @ items / shown.sum()
