"""Activations become the frames on which each feature is most active."""

from dataclasses import fields

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.features.table import TopFrames

FEATURES_AT_ONCE = 64
"""Features are looked at in blocks, so that the tables of rows stay small beside the activations."""


def top_frames(
    value: Float32[Tensor, "row feature"], *, frame_id: Int64[Tensor, " row"], step: Int64[Tensor, " row"], n_top: int
) -> TopFrames:
    """Return for each feature the `n_top` distinct frames with the largest activation, and the first row that shows it.

    A frame counts where the feature is active on it. `frame_id` and `step` say where the rows came from.
    """
    blocks = [_of_block(block, frame_id=frame_id, step=step, n_top=n_top) for block in value.split(FEATURES_AT_ONCE, 1)]
    return TopFrames(
        **{field.name: torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(TopFrames)}
    )


def _of_block(
    value: Float32[Tensor, "row feature"], *, frame_id: Int64[Tensor, " row"], step: Int64[Tensor, " row"], n_top: int
) -> TopFrames:
    n_rows, n_features = value.shape
    place = frame_id[:, None].expand(-1, n_features)  # row feature
    active = value.masked_fill(value == 0, -torch.inf)
    silent = value.new_full((max(n_top, int(frame_id.max()) + 1), n_features), -torch.inf)
    best = silent.scatter_reduce(0, place, active, "amax")  # frame feature
    shows_best = active == best.gather(0, place)
    candidate = torch.where(shows_best, torch.arange(n_rows, device=value.device)[:, None], n_rows)  # row feature
    nobody = torch.full_like(best, n_rows, dtype=torch.int64)
    first = nobody.scatter_reduce(0, place, candidate, "amin")  # frame feature
    top_value, frame = best.sort(dim=0, descending=True, stable=True)
    top_value, frame = top_value[:n_top].T, frame[:n_top].T  # feature top
    is_there = top_value.isfinite()
    row = torch.where(is_there, first.T.gather(1, frame), -1)
    return TopFrames(
        frame=torch.where(is_there, frame, -1),
        value=torch.where(is_there, top_value, 0.0),
        row=row,
        step=torch.where(is_there, step[row], -1),
    )
