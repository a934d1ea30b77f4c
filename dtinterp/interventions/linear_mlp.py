"""An MLP becomes the linear map that comes closest to it, and what the next action's prediction loses by that."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.resampling import N_DRAWS
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, central
from dtinterp.model.policy import Hook
from dtinterp.model.transformer import DecisionTransformer

FEWEST = 20
"""A feature is compared where it is active, and inactive, in so many clusters or more: fewer make no interval."""


@dataclass(frozen=True)
class LinearMlp:
    """x W + b in place of an MLP, at observation tokens; x is what the MLP reads, after the norm."""

    layer: int
    weight: Float32[Tensor, "d_model written"]
    bias: Float32[Tensor, " written"]
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
    """Return the least-squares map from what a layer's MLP reads to what it writes, over the windows' real slots."""
    if not 0 <= layer < model.cfg.n_layers:
        raise UserError(f"the layer is {layer}, expected 0 to {model.cfg.n_layers - 1}: the model has no more.")
    seen: dict[str, Tensor] = {}

    def keeping(name: str) -> Hook:
        def keep(activation: Tensor, **_: HookPoint) -> None:
            seen[name] = activation[:, model.cfg.observation_tokens][windows.mask].double()

        return name, keep

    names = (_read_at(model, layer), _written_at(layer))
    model.run_with_hooks(windows, items, fwd_hooks=[keeping(name) for name in names])
    read, written = (seen[name] for name in names)
    one = torch.ones(len(read), 1, dtype=read.dtype)
    solved = torch.linalg.lstsq(torch.cat([read, one], dim=1), written, driver="gelsd").solution  # d_model+1 written
    error = (written - read @ solved[:-1] - solved[-1]).square().sum()
    spread = (written - written.mean(dim=0)).square().sum()
    return LinearMlp(layer, solved[:-1].float(), solved[-1].float(), float(error / spread))


@torch.no_grad()
def excess_loss(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], linear: LinearMlp
) -> Float64[Tensor, " row"]:
    """Return linear loss minus MLP loss, in nats, at every real slot: windows in order, slots in order."""
    read: list[Tensor] = []

    def keep(activation: Tensor, **_: HookPoint) -> None:
        read.append(activation)

    def put(activation: Tensor, **_: HookPoint) -> Tensor:
        changed, tokens = activation.clone(), model.cfg.observation_tokens
        changed[:, tokens] = read[0][:, tokens] @ linear.weight + linear.bias
        return changed

    hooks: list[Hook] = [(_read_at(model, linear.layer), keep), (_written_at(linear.layer), put)]
    log_chance = [
        model.run_with_hooks(windows, items, fwd_hooks=[*each])[windows.mask].double().log_softmax(dim=1)
        for each in (hooks, [])
    ]
    done = windows.action[windows.mask][:, None]
    instead, intact = (chance.gather(1, done)[:, 0] for chance in log_chance)
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
    member = cluster.unique(return_inverse=True)[1]
    n = int(member.max()) + 1

    def by_cluster(values: Float64[Tensor, "row feature"]) -> Float64[np.ndarray, "cluster feature"]:
        return values.new_zeros(n, values.shape[1]).index_add(0, member, values).numpy()

    is_on = fires.double()
    sums = [by_cluster(is_on), by_cluster(1 - is_on)]
    kept = np.flatnonzero(np.minimum(*((each > 0).sum(axis=0) for each in sums)) >= FEWEST)
    sums += [by_cluster(excess[:, None] * is_on), by_cluster(excess[:, None] * (1 - is_on))]
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


def _read_at(model: DecisionTransformer, layer: int) -> str:
    """Return where the MLP's input is: the normalised stream, or the stream itself where the model has no norm."""
    normalised = f"blocks.{layer}.ln2.hook_normalized"
    return normalised if normalised in model.hook_dict else f"blocks.{layer}.hook_resid_mid"


def _written_at(layer: int) -> str:
    return f"blocks.{layer}.hook_mlp_out"
