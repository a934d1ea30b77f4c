"""Item embeddings: which items tell a fact, and their principal components."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import ITEMS, one_hot


@dataclass(frozen=True)
class Components:
    """Principal components of item embeddings."""

    vectors: Float32[Tensor, "component d_model"]
    """orthonormal, by share"""
    share: Float32[Tensor, " component"]
    """of the centred embeddings' variance"""


def item_embeddings(
    model: DecisionTransformer, index: Int64[Tensor, " chosen"], *, scaled: bool
) -> Float32[Tensor, "chosen d_model"]:
    """Return the embeddings of items, scaled to length 1 where asked for.

    Raises `UserError` where the model reads no one-hot frames.
    """
    if model.cfg.n_items != ONE_HOT:
        raise UserError(
            f"the model reads frames as {model.cfg.n_items} numbers, expected {ONE_HOT} items, whose embeddings give "
            "the direction: use a model of one-hot frames."
        )
    embeddings = model.W_obs.detach()[index].float()
    return normalize(embeddings, dim=1) if scaled else embeddings


def components(embeddings: Float32[Tensor, "item d_model"]) -> Components:
    """Return the principal components of embeddings about their mean. Raises `UserError` where all are equal."""
    centred = embeddings - embeddings.mean(dim=0)
    _, singular, vectors = torch.linalg.svd(centred, full_matrices=False)
    if not float(singular[0]) > 0:
        raise UserError("the items' embeddings are all equal: use a trained model, or other items.")
    return Components(vectors, singular.square() / singular.square().sum())


@dataclass(frozen=True)
class TellingItems:
    """The items that tell one value of a fact from another, wherever they are shown."""

    index: Int64[Tensor, " chosen"]
    is_first: Bool[Tensor, " chosen"]
    """whether an item tells the first of the two values"""

    @property
    def names(self) -> tuple[str, ...]:
        """Such as `key (2,6)`."""
        return tuple(ITEMS[item] for item in self.index.tolist())


def telling_items(chosen: ChosenWindows, fact: str, *, purity: float) -> TellingItems:
    """Return the items that windows of the first value of a fact show, and those of the second value do not.

    The share of windows that show an item is taken among those of each value; an item tells where, of the two shares
    together, at least `purity` falls to one value. Raises `UserError` where the fact has not two values in the windows,
    or no item tells it.
    """
    value = chosen.fact(fact)
    values = value.unique().tolist()
    if len(values) != 2:
        raise UserError(
            f"the fact {fact} has {len(values)} values in the windows, expected 2: choose windows that differ in it, "
            "or ask for two of its values."
        )
    items = one_hot(chosen.frames)
    shows = (items[chosen.windows.frame_id] * chosen.windows.mask[..., None]).amax(dim=1)  # batch item
    first, second = (shows[value == each].mean(dim=0) for each in values)
    share = first / (first + second).clamp_min(1e-12)
    is_shown = first + second > 0
    tells = is_shown & ((share >= purity) | (share <= 1 - purity))
    index = tells.nonzero()[:, 0]
    if not len(index):
        raise UserError(f"no item tells {fact} in these windows: choose others, or a lower purity.")
    return TellingItems(index, share[index] >= purity)


def items_at(things: tuple[str, ...], cells: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """Return the names of all these things at all these cells, things outside."""
    return tuple(name for thing in things for x, y in cells if (name := f"{thing} ({x},{y})") in ITEMS)
