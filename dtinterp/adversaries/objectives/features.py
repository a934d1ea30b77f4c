"""An objective inside the network: the pre-activation of a dictionary's feature at one observation."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.objectives.objective import Added, Objective
from dtinterp.dictionary.dictionary import Dictionary


@dataclass(frozen=True)
class FlipFeature(Objective):
    """Whether the pre-activation of a feature is above a level, at one real slot: above shall be below, or the reverse.

    At the observation embedding it is linear in the items that the frame shows, so bounds on it are exact.
    """

    dictionary: Dictionary
    feature: int
    slot: int
    """counted from the window's oldest frame"""
    level: float = 0.0

    @property
    def title(self) -> str:
        """Name feature and level."""
        return f"feature {self.feature} of {self.dictionary.name} at frame {self.slot} crosses {self.level:g}"

    def values(self, window: EditedWindow, added: Added, first: Int64[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return how far the pre-activation is on the side of the level where it is as things are."""
        del first
        found = self._read(window.rows(added, self.dictionary.site, self.slot))
        return self._sign(window) * (found - self.level)

    def slopes(self, window: EditedWindow) -> Float32[Tensor, "real d_model"] | None:
        """Return the feature's reading direction at its frame where the dictionary reads observation embeddings."""
        if self.dictionary.site != OBSERVATION_EMBEDDING:
            return None
        found = torch.zeros(window.scene.n_real, self.dictionary.d_model)
        found[self.slot] = self._sign(window) * self.dictionary.W_enc[:, self.feature] / self.dictionary.scale
        return found

    def _read(self, rows: Float32[Tensor, "batch column"]) -> Float[Tensor, " batch"]:
        weights = self.dictionary
        return weights.centred(rows) @ weights.W_enc[:, self.feature] + weights.b_enc[self.feature]

    def _sign(self, window: EditedWindow) -> int:
        added = torch.zeros(1, window.scene.n_real, window.model.cfg.d_model)
        with torch.no_grad():
            original = self._read(window.rows(added, self.dictionary.site, self.slot))
        return 1 if float(original) >= self.level else -1
