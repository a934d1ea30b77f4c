"""Geometry of item embeddings: maps of a direction over the view, cosines in clustered order, and norms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.interventions.directions.finder import oriented
from dtinterp.interventions.directions.items import components, item_embeddings, items_at
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import VIEW, item_index

EVERYWHERE = tuple((x, y) for x in range(VIEW) for y in range(VIEW))


@dataclass(frozen=True)
class ItemMaps2D:
    """What every item of some things holds along principal components of a few of them."""

    things: tuple[str, ...]
    share: Float32[Tensor, " component"]
    """of the chosen items' variance"""
    score: Float32[Tensor, "drawn thing x y"]
    """of each item's embedding, about the mean of the chosen ones"""


@dataclass(frozen=True)
class Clustergram:
    """Cosines between item embeddings, items that point alike beside each other."""

    names: tuple[str, ...]
    cosine: Float32[Tensor, "item item"]


@dataclass(frozen=True)
class NormStrip:
    """Norms of the item embeddings of one thing."""

    thing: str
    norm: Float32[Tensor, " item"]
    is_shown: Bool[Tensor, " item"]
    """whether the world ever shows the item"""


def feature_maps(
    model: DecisionTransformer, items: Sequence[str], *, things: tuple[str, ...], n: int = 2, scaled: bool = True
) -> ItemMaps2D:
    """Return the scores of all items of `things` along the first components of `items`, as published.

    Components point to where the first of the things lies among `items`.
    """
    chosen = item_embeddings(model, _indices(items), scaled=scaled)
    found = components(chosen)
    is_first = torch.tensor([name.split()[0] == things[0] for name in items])
    gap = chosen[is_first].mean(dim=0) - chosen[~is_first].mean(dim=0)
    vectors = torch.stack([oriented(vector, gap) for vector in found.vectors[:n]])
    everything = item_embeddings(model, _indices(items_at(things, EVERYWHERE)), scaled=scaled)
    score = (everything - chosen.mean(dim=0)) @ vectors.T  # item component
    return ItemMaps2D(things, found.share, score.T.reshape(n, len(things), VIEW, VIEW))


def clustergram(model: DecisionTransformer, items: Sequence[str]) -> Clustergram:
    """Return the cosines of items, in the order of average linkage on 1 − cosine with leaves ordered optimally."""
    directions = normalize(item_embeddings(model, _indices(items), scaled=False), dim=1)
    cosine = (directions @ directions.T).clamp(-1, 1)
    if len(items) < 3:
        return Clustergram(tuple(items), cosine)
    apart = squareform((1 - cosine).clamp_min(0).fill_diagonal_(0).double().numpy(), checks=False)
    order = leaves_list(optimal_leaf_ordering(linkage(apart, "average"), apart)).astype(np.int64)
    return Clustergram(tuple(str(items[place]) for place in order.tolist()), cosine[order][:, order])


def norm_strips(
    model: DecisionTransformer, shown: Bool[Tensor, " item"], things: Sequence[str]
) -> tuple[NormStrip, ...]:
    """Return the norms of the items of each thing; `shown` says of all 980 items which the world ever shows."""
    strips = []
    for thing in things:
        index = _indices(items_at((thing,), EVERYWHERE))
        strips.append(NormStrip(thing, item_embeddings(model, index, scaled=False).norm(dim=1), shown[index]))
    return tuple(strips)


def _indices(names: Sequence[str]) -> Tensor:
    return torch.tensor([item_index(name) for name in names])
