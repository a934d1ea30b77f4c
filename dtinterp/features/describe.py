"""A dictionary, rows and the truth behind them become a table of what each feature means."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features.item_maps import item_maps
from dtinterp.features.table import FeatureTable
from dtinterp.features.top_frames import top_frames
from dtinterp.features.truth.alignment import align
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible


@dataclass(frozen=True)
class DescribeConfig:
    """How features are described."""

    n_top: int = 8
    """distinct frames shown for each feature"""

    def __post_init__(self) -> None:
        """Refuse to show nothing."""
        if self.n_top < 1:
            raise UserError(f"n_top is {self.n_top}, expected at least 1: give a larger number.")
        require_sensible(self)


def describe(
    dictionary: Dictionary,
    rows: Activations,
    *,
    trajectories: Trajectories,
    items: Float32[Tensor, "frame item"],
    W_obs: Float32[Tensor, "item d_model"] | None = None,
    config: DescribeConfig = DescribeConfig(),
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
        top=top_frames(value, frame_id=frame_id, step=rows.step, n_top=config.n_top),
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
