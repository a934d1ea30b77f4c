"""What every distance of observations reads and returns, and the measures that several share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer


@dataclass(frozen=True)
class ComparedFrames:
    """The observations that a distance is between, as a model and a dictionary see them."""

    model: DecisionTransformer
    items: Float32[Tensor, "frame item"]
    """what each is shown to the model as"""
    embedding: Float32[Tensor, "frame d_model"]
    frame_id: Int64[Tensor, " frame"]
    """rows of the trajectories' frame table"""
    dictionary: Dictionary | None = None
    """None for distances that need none"""
    in_windows: Float32[Tensor, "frame window column"] | None = None
    """what the dictionary reads of each frame, last in each of some windows; None where nobody gave windows"""

    @property
    def is_deeper(self) -> bool:
        """Whether the dictionary is of a site where a frame's row depends on what came before it."""
        return self.dictionary is not None and self.dictionary.site != OBSERVATION_EMBEDDING

    def rows(self) -> Float32[Tensor, "frame window column"]:
        """Return what the dictionary reads: of the embedding one row a frame, as in every window.

        Raises `UserError` for a dictionary of a deeper site where no windows were given.
        """
        if not self.is_deeper:
            return self.embedding[:, None]
        if self.in_windows is None:
            raise UserError(
                f"the dictionary {self.dictionary and self.dictionary.name!r} reads "
                f"{self.dictionary and self.dictionary.site}, expected {OBSERVATION_EMBEDDING}, where a frame has the "
                "same code in every window: give one of that site."
            )
        return self.in_windows

    def codes(self) -> Float[Tensor, "frame window feature"]:
        """Return the code of each frame in each window; raises `UserError` where `rows` does, or for no dictionary."""
        if self.dictionary is None:
            raise UserError("no dictionary was given, so observations have no codes: give one of the embedding.")
        rows = self.rows()
        found = encode_dense(self.dictionary, rows.flatten(0, 1))
        return found.unflatten(0, rows.shape[:2])  # frame window feature


Distance: TypeAlias = Callable[[ComparedFrames], Relation]
"""Says how far apart observations are, from 0 to 1, before anything is swapped."""


def compared_frames(
    model: DecisionTransformer,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    dictionary: Dictionary | None = None,
    windows: Windows | None = None,
) -> ComparedFrames:
    """Return some frames of the coded frame table `items` with their embeddings.

    For a dictionary of a deeper site each frame takes the place of the last one of each of `windows`: all stand in the
    same histories, so that what differs is theirs. Raises `UserError` for a site where nothing depends on them.
    """
    chosen = items[frame_id]
    found = ComparedFrames(model, chosen, embedded(model, chosen), frame_id, dictionary)
    if dictionary is None or windows is None or not found.is_deeper:
        return found
    return replace(found, in_windows=_in_last_slots(model, windows, items, frame_id, dictionary.site))


def _in_last_slots(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    site: str,
) -> Float32[Tensor, "frame window column"]:
    """Return the rows of each frame in the last slot of each window. Raises `UserError` where all are the same."""
    n_frames, n_windows = len(frame_id), len(windows)
    repeated = windows[torch.arange(n_windows).repeat(n_frames)]
    shown = repeated.frame_id.clone()
    shown[:, -1] = frame_id.repeat_interleave(n_windows)
    rows = harvest(model, replace(repeated, frame_id=shown), items, site)
    found = rows.value[rows.slot == windows.n_slots - 1].unflatten(0, (n_frames, n_windows))  # frame window column
    if (found == found[:1]).all():
        raise UserError(f"rows at {site} are the same whatever is observed: give a dictionary of another site.")
    return found


def relative_distance(x: Float[Tensor, "frame d"]) -> Float[Tensor, "frame frame"]:
    """Return |x_a − x_b| / (|x_a| + |x_b|) for every two rows: 0 where both are the same, 1 where they are opposite."""
    distance = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist")
    norm = x.double().norm(dim=1)
    return distance / (norm[:, None] + norm).clamp_min(torch.finfo(torch.float64).tiny)


def relation_of(distance: Float[Tensor, "frame frame"], frame_id: Int64[Tensor, " frame"], name: str) -> Relation:
    """Return distances that need no contexts as a relation, rounding errors of symmetry and diagonal removed."""
    clean = torch.maximum(distance, distance.T).clamp(0, 1).float().fill_diagonal_(0)
    return Relation(clean, clean, torch.ones(len(clean), len(clean), dtype=torch.int64), frame_id, name)
