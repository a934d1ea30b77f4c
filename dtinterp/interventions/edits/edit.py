"""What every edit of rows offers: how the coordinates of a part of each row change."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.parts.part import Part
from dtinterp.model.network.transformer import DecisionTransformer

Amount: TypeAlias = float | Float32[Tensor, " batch"] | Float32[Tensor, "batch _"]
"""One number for all windows, or one a window, or one a window and coordinate."""


@dataclass(frozen=True)
class Edit(ABC):
    """A change of a part of each row, from that row alone; a field that is a tensor holds an amount a window."""

    part: Part

    def apply(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows, each changed. Raises `UserError` where lengths or counts do not fit the edit's."""
        for own in self.amounts:
            if len(own) != len(rows):
                raise UserError(f"there are {len(own)} amounts for {len(rows)} windows: give one number, or one each.")
        return self.changed(rows)

    @abstractmethod
    def changed(self, rows: Float32[Tensor, "row column"]) -> Float32[Tensor, "row column"]:
        """Return the rows, each changed."""

    def require_site(self, model: DecisionTransformer, site: str) -> None:
        """Raise `UserError` where the part means nothing at `site`."""
        self.part.require_site(model, site)

    def in_windows(self, windows: Windows) -> "Edit":
        """Return the edit for a run on just these windows."""
        part = self.part.in_windows(windows)
        return self if part is self.part else replace(self, part=part)

    def of_rows(self, window: Int64[Tensor, " row"]) -> "Edit":
        """Return the edit of the rows that stand in these windows."""
        own = {name: amount[window] for name, amount in self._own()}
        part = self.part.of_rows(window)
        return self if not own and part is self.part else replace(self, part=part, **own)

    @property
    def amounts(self) -> tuple[Tensor, ...]:
        """The amounts where each window has its own."""
        return tuple(amount for _, amount in self._own())

    def _own(self) -> Iterator[tuple[str, Tensor]]:
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ((name, value) for name, value in named if isinstance(value, Tensor))


def broadcast(amount: Amount, like: Float32[Tensor, "row coordinate"]) -> Float32[Tensor, "row coordinate"]:
    """Return an amount for every row and coordinate."""
    if not isinstance(amount, Tensor):
        return torch.full_like(like, amount)
    return (amount if amount.dim() > 1 else amount[:, None]).to(like.device).expand_as(like)
