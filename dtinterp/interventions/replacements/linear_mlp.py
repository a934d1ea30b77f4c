"""The linear map that comes closest to an MLP, and what it costs in place of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.activations.harvest import logits_with_hooks
from dtinterp.activations.mlps import MlpSplice, harvest_mlp, real_observations
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.config import MapConfig
from dtinterp.dictionary.dictionary import RowMap, reconstruct
from dtinterp.dictionary.evaluation.reconstruction import Reconstruction
from dtinterp.dictionary.fit import fit_map
from dtinterp.dictionary.kinds.maps.linear import Linear
from dtinterp.dictionary.rows.table import Pairs
from dtinterp.foundation.bootstrap import N_DRAWS
from dtinterp.foundation.statistics import Interval, central
from dtinterp.model.network.transformer import DecisionTransformer

FEWEST = 20
"""A feature is compared where it is active, and inactive, in so many clusters or more: fewer make no interval."""


@dataclass(frozen=True)
class LinearMlp:
    """What stands in place of an MLP at observation tokens."""

    layer: int
    fitted: RowMap
    """what the MLP reads, behind its norm, into what is written instead"""
    fvu: float
    """fraction of the variance of what the MLP writes that the map misses, on the rows that it was fitted to"""


@dataclass(frozen=True)
class FeatureExcess:
    """Linear loss minus MLP loss, `-log p_linear(a) + log p_MLP(a)` in nats, where a feature is on and where it is off.

    Intervals are 95% bootstraps over clusters.
    """

    feature: int
    on: Interval
    off: Interval
    difference: Interval
    """on minus off: how much more the MLP's non-linearity matters where the feature is active"""


@torch.no_grad()
def linear_mlp(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], layer: int
) -> LinearMlp:
    """Return the least-squares map from what a layer's MLP reads to what it writes, over the windows' real slots.

    Raises `UserError` for a layer that the model does not have.
    """
    rows = harvest_mlp(model, windows, items, layer, at=real_observations)
    pairs = Pairs(rows.inputs, rows.outputs, f"blocks.{layer}.mlp")
    fitted = fit_map(pairs, MapConfig(Linear()), generator=torch.Generator())  # which draws nothing
    return LinearMlp(layer, fitted, Reconstruction.by(fitted, rows.inputs, rows.outputs).fvu)


def excess_loss(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], linear: LinearMlp
) -> Float64[Tensor, " row"]:
    """Return linear loss minus MLP loss, in nats, at every real slot: windows in order, slots in order."""
    edits = (partial(reconstruct, linear.fitted), None)
    splices = (MlpSplice(model, linear.layer, edit, real_observations) for edit in edits)
    done = windows.action[windows.mask][:, None].cpu()
    instead, intact = (
        logits_with_hooks(model, windows, items, splice).double().log_softmax(dim=1).gather(1, done)[:, 0]
        for splice in splices
    )
    return intact - instead


def by_feature(
    excess: Float64[Tensor, " row"],
    fires: Bool[Tensor, "row feature"],
    *,
    cluster: Int64[Tensor, " row"],
    generator: np.random.Generator,
) -> tuple[FeatureExcess, ...]:
    """Return the excess loss with each feature on and off, the largest difference first.

    Features that are on, or off, in fewer than `FEWEST` clusters are left out. All features share their draws of
    clusters (Davison & Hinkley 1997, §3.8).
    """
    is_on = fires.double()
    sums = [_by_cluster(each, cluster) for each in (is_on, 1 - is_on)]
    kept, n = _kept(sums), len(sums[0])
    sums += [_by_cluster(excess[:, None] * each, cluster) for each in (is_on, 1 - is_on)]
    whole = np.ones((1, n))
    drawn = generator.multinomial(n, np.full(n, 1 / n), size=N_DRAWS).astype(float)  # draw cluster
    means = []
    for times in (whole, drawn):
        on, off, with_it, without = (times @ each[:, kept] for each in sums)
        means.append([with_it / on, without / off])
    found = [
        FeatureExcess(
            int(feature),
            *(
                central(draws[:, place], estimate=float(mean[0, place]), n=n)
                for mean, draws in (*zip(*means, strict=True), (means[0][0] - means[0][1], means[1][0] - means[1][1]))
            ),
        )
        for place, feature in enumerate(kept)
    ]
    return tuple(sorted(found, key=lambda each: -each.difference.estimate))


def largest_by_chance(
    excess: Float64[Tensor, " row"],
    fires: Bool[Tensor, "row feature"],
    *,
    cluster: Int64[Tensor, " row"],
    shifts: Int64[Tensor, " draw"],
) -> tuple[float, ...]:
    """Return, per shift, the largest difference on minus off of any feature when rows have the excess of other rows.

    This is what choosing the best of many features brings by itself. The excess moves along the rows by each shift, so
    that what neighbouring rows share, the slots of a window, stays together. The features are those of `by_feature`;
    the result is empty where there is none.
    """
    is_on = fires.double()
    kept = _kept([_by_cluster(each, cluster) for each in (is_on, 1 - is_on)])
    if not len(kept):
        return ()
    on = is_on[:, kept]
    moved = torch.stack([excess.roll(int(shift)) for shift in shifts])  # draw row
    with_it, n_on = moved @ on, on.sum(dim=0)  # draw feature, feature
    without = excess.sum() - with_it
    return tuple((with_it / n_on - without / (len(on) - n_on)).amax(dim=1).tolist())


def _by_cluster(
    values: Float64[Tensor, "row feature"], cluster: Int64[Tensor, " row"]
) -> Float64[np.ndarray, "cluster feature"]:
    """Return the sums over the rows of each cluster."""
    member = cluster.unique(return_inverse=True)[1]
    return values.new_zeros(int(member.max()) + 1, values.shape[1]).index_add(0, member, values).numpy()


def _kept(sums: Sequence[Float64[np.ndarray, "cluster feature"]]) -> Int64[np.ndarray, " kept"]:
    """Return the features that are on, and off, in `FEWEST` clusters or more, given how often they are by cluster."""
    return np.flatnonzero(np.minimum(*((each > 0).sum(axis=0) for each in sums)) >= FEWEST)
