"""What the names in edits stand for: dictionaries, directions, items and windows of one experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import slots_at
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.errors import UserError, nearest
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.slots import SlotChoice, TokenKind, tokens_of
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.subject.subject import Subject
from environments.vocabulary import ITEMS, item_index

N_REFERENCE = 512
"""Windows of the training side over which means and standard deviations are taken."""
NamedT = TypeVar("NamedT")


@dataclass(frozen=True)
class Rows:
    """Rows of one place of a model, and the window that each stands in."""

    value: Float32[Tensor, "row column"]
    window: Int64[Tensor, " row"]


@dataclass(frozen=True, eq=False)
class Bindings:
    """What the names in edits stand for."""

    subject: Subject
    windows: Windows
    """what is edited"""
    items: Float32[Tensor, "frame item"]
    """the coded frame table of these windows"""
    names: Sequence[str]
    """one a window"""
    dictionaries: Mapping[str, Dictionary] = field(default_factory=dict)
    directions: Mapping[str, tuple[Float32[Tensor, "coordinate d_model"], str]] = field(default_factory=dict)
    """orthonormal vectors, and the site that they were found at"""
    seed: int = 0

    @property
    def model(self) -> DecisionTransformer:
        """The model that is edited."""
        return self.subject.model

    def dictionary(self, name: str | None) -> Dictionary:
        """Return a dictionary by its name, or the only one. Raises `UserError` where there is none such."""
        if name is None and len(self.dictionaries) == 1:
            return next(iter(self.dictionaries.values()))
        return named(self.dictionaries, name, "dictionary")

    def direction(self, name: str) -> tuple[Float32[Tensor, "coordinate d_model"], str]:
        """Return a direction and its site by its name. Raises `UserError` where there is none such."""
        return named(self.directions, name, "direction")

    def item(self, name: str) -> Float32[Tensor, " d_model"]:
        """Return an item's embedding. Raises `UserError` where there is no such item, or the model has none."""
        if self.model.cfg.n_items != ONE_HOT:
            raise UserError(
                f"the model reads frames as {self.model.cfg.n_items} numbers, and items are embedded by models of "
                f"{ONE_HOT}: use a direction instead."
            )
        if name not in ITEMS:
            raise UserError(f"there is no item {name!r}{nearest(name, ITEMS)}: name one such as 'key (2,6)'.")
        return self.model.W_obs.detach()[item_index(name)].float()

    def window(self, name: str) -> int:
        """Return the number of a window by its name. Raises `UserError` where there is none such."""
        return named({each: number for number, each in enumerate(self.names)}, name, "window")

    def rows(self, site: str, slots: SlotChoice, token: TokenKind) -> Rows:
        """Return the untouched rows of the windows at a place."""
        return rows_at(self.model, self.windows, self.items, (site, slots, token))

    def reference_rows(self, site: str, slots: SlotChoice, token: TokenKind) -> Rows:
        """Return the rows of windows of the training side at a place. Raises `UserError` where it has none there."""
        found = rows_at(self.model, self._reference, self.subject.items, (site, slots, token))
        if not len(found.value):
            raise UserError(
                f"no window of the training side has that slot at {site}, so there is no mean: set a value."
            )
        return found

    def generator(self, name: str) -> torch.Generator:
        """Return the random numbers of this name."""
        return generator(self.seed, f"interventions/{name}")

    @cached_property
    def _reference(self) -> Windows:
        return self.subject.train_windows(N_REFERENCE, seed=0)


def named(among: Mapping[str, NamedT], name: str | None, kind: str) -> NamedT:
    """Return what has a name. Raises `UserError`, which lists what there is, where nothing has."""
    if name is None or name not in among:
        known = ", ".join(among) or "none"
        raise UserError(
            f"there is no {kind} {name!r}, expected one of {known}{nearest(name, among)}: name one of these."
        )
    return among[name]


@torch.no_grad()
def rows_at(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    place: tuple[str, SlotChoice, TokenKind],
) -> Rows:
    """Return the untouched rows of windows at a site, at some slots, of one kind of token."""
    (site, slots, token), seen = place, []
    tokens = tokens_of(model.cfg, token)

    def look(activation: Float32[Tensor, "*activation"], **_: Any) -> None:
        seen.append(slots_at(site, activation, tokens))

    model.run_with_hooks(windows, items, fwd_hooks=[(site, look)])
    chosen = slots(windows)[:, : seen[0].shape[1]]
    return Rows(seen[0][chosen], chosen.nonzero()[:, 0])
