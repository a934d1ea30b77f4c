"""How much of the known items' embedding a dictionary recovers."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.matching import Recovery, identifiable, recovery
from dtinterp.dictionary.rows.distinct import rank_of
from dtinterp.subject.items import Embedding, item_directions


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


def item_recovery(dictionary: Dictionary, W_obs: Embedding, rate: Float32[Tensor, " item"]) -> ItemRecovery:
    """Return how well decoder directions of observation embeddings recover the items' own."""
    directions = item_directions(W_obs, rate)
    truth = directions[identifiable(directions, rate=rate.to(W_obs.device))]  # true d_model
    return ItemRecovery(recovery(dictionary.W_dec, truth), len(W_obs), len(truth), rank_of(truth))
