"""Description of each feature: when it is active, on which frames most, and what it goes with."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features.item_maps import item_maps
from dtinterp.features.table import FeatureTable, TopFrames
from dtinterp.features.truth.alignment import align
from dtinterp.features.truth.recovery import ItemRecovery, item_recovery
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.subject.items import item_rate
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class DescribeConfig:
    """How features are described, and on which rows."""

    n_top: int = 8
    """distinct frames shown for each feature"""
    n_windows: int = 1024
    """held-out windows"""
    seed: int = 0
    """seed of the windows"""

    def __post_init__(self) -> None:
        """Refuse to show nothing."""
        require_at_least(self, 1, "n_top", "n_windows")
        require_sensible(self)

    def windows(self, subject: Subject) -> Windows:
        """Return the held-out windows of a subject."""
        return subject.held_out_windows(self.n_windows, seed=self.seed)


def describe(subject: Subject, dictionary: Dictionary, config: DescribeConfig = DescribeConfig()) -> FeatureTable:
    """Describe each feature on held-out windows; what it writes is drawn where the site is the embedding itself.

    >>> table = dt.describe(subject, pca)
    >>> table.n_features
    8
    """
    return describe_rows(
        dictionary,
        subject.rows(dictionary.site, config.windows(subject)),
        trajectories=subject.trajectories,
        items=subject.one_hot,
        W_obs=subject.embedding_at(dictionary.site),
        n_top=config.n_top,
    )


def recovered_items(subject: Subject, dictionary: Dictionary, config: DescribeConfig) -> ItemRecovery | None:
    """Return how well features agree with the items; None at sites where rows are no sums of items."""
    W_obs, windows = subject.embedding_at(dictionary.site), config.windows(subject)
    if W_obs is None:
        return None
    return item_recovery(dictionary, W_obs, item_rate(subject.one_hot, windows.frame_id[windows.mask]))


def describe_rows(
    dictionary: Dictionary,
    rows: Activations,
    *,
    trajectories: Trajectories,
    items: Float32[Tensor, "frame item"],
    W_obs: Float32[Tensor, "item d_model"] | None = None,
    n_top: int = 8,
) -> FeatureTable:
    """Return what each feature of `dictionary` does on `rows`, which were harvested from windows of `trajectories`.

    `items` are the one-hot vectors of the trajectories' frames; `W_obs`, the model's observation embedding, adds the
    map of what a feature's direction writes. Costs 4 bytes x rows x features. Raises `UserError` where rows and
    dictionary come from different sites, or rows do not come from these trajectories.
    """
    _check_provenance(dictionary, rows, trajectories)
    value = encode_dense(dictionary, rows.value)  # row feature
    frame_id = trajectories.frame_id[rows.step].long()
    n_active = (value != 0).sum(dim=0)
    return FeatureTable(
        density=n_active / len(value),
        mean_value=value.sum(dim=0) / n_active.clamp_min(1),
        top=top_frames(value, frame_id=frame_id, step=rows.step, n_top=n_top),
        maps=item_maps(value, frame_id=frame_id, items=items, W_dec=dictionary.W_dec, W_obs=W_obs),
        alignment=align(value, trajectories.facts[rows.step], trajectories.fact_names),
        site=rows.site,
        name=dictionary.name,
    )


def _check_provenance(dictionary: Dictionary, rows: Activations, trajectories: Trajectories) -> None:
    if dictionary.site != rows.site:
        raise UserError(
            f"Dictionary {dictionary.name!r} was fitted at {dictionary.site!r}, the rows are from {rows.site!r}: "
            "harvest rows at the dictionary's site."
        )
    is_known = (rows.step >= 0) & (rows.step < trajectories.n_steps)
    if not is_known.all():
        raise UserError(
            f"{int((~is_known).sum())} of {len(rows.step)} rows belong to no step of the trajectories, which have "
            f"{trajectories.n_steps}: harvest windows of these trajectories."
        )


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
