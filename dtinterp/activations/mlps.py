"""A model's MLPs: pairs of what each reads and writes, and something else in its place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64, Shaped
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.harvest import RowEdit, batches
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook

TokenChoice = Callable[[DecisionTransformer, Windows], Bool[Tensor, "batch token"]]
"""At which tokens of windows an MLP is looked at; never at those of pads."""


def real_tokens(model: DecisionTransformer, windows: Windows) -> Bool[Tensor, "batch token"]:
    """Choose all tokens of real slots."""
    return _by_token(model, windows.mask)


def real_observations(model: DecisionTransformer, windows: Windows) -> Bool[Tensor, "batch token"]:
    """Choose the observation tokens of real slots."""
    is_chosen = torch.zeros_like(real_tokens(model, windows))
    is_chosen[:, model.cfg.observation_tokens] = windows.mask
    return is_chosen


@dataclass(frozen=True)
class MlpRows:
    """What one MLP reads, behind its norm, and writes at chosen tokens; one row a token."""

    inputs: Float32[Tensor, "row d_model"]
    outputs: Float32[Tensor, "row d_model"]
    step: Int64[Tensor, " row"]
    """flat step in the trajectories of the token's slot; -1 where the window was made by hand"""
    layer: int


def harvest_mlp(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    layer: int,
    *,
    at: TokenChoice = real_tokens,
) -> MlpRows:
    """Return the rows of the MLP in block `layer`: `harvest_mlps` for one."""
    return harvest_mlps(model, windows, items, [layer], at=at)[0]


@torch.no_grad()
def harvest_mlps(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    layers: Sequence[int],
    *,
    at: TokenChoice = real_tokens,
) -> list[MlpRows]:
    """Return the rows of the MLP in each of these blocks, all from the same forward passes.

    Rows are windows in order, tokens in order; return, observation and action. Raises `UserError` for a layer that the
    model does not have.
    """
    for layer in layers:
        check_layer(model, layer)
    parts = [_rows_of(model, batch, items, layers, at(model, batch)) for batch in batches(windows, items)]
    return [_joined(list(of_layer)) for of_layer in zip(*parts, strict=True)]


def _rows_of(
    model: DecisionTransformer,
    batch: Windows,
    items: Float32[Tensor, "frame item"],
    layers: Sequence[int],
    is_chosen: Bool[Tensor, "batch token"],
) -> list[MlpRows]:
    """Return each MLP's rows in windows that one forward pass can bear."""
    seen: dict[str, Tensor] = {}
    names = [(_read_at(model, layer), f"blocks.{layer}.hook_mlp_out") for layer in layers]
    model.run_with_hooks(batch, items, fwd_hooks=[_keeping(seen, name) for both in names for name in both])
    step = _by_token(model, batch.step)[is_chosen].cpu()
    found = []
    for layer, (before, after) in zip(layers, names, strict=True):
        read = model.layers[layer].ln2.weigh(seen[before])[is_chosen]
        found.append(MlpRows(read.cpu(), seen[after][is_chosen].cpu(), step, layer))
    return found


def _joined(parts: Sequence[MlpRows]) -> MlpRows:
    columns = {name: torch.cat([getattr(part, name) for part in parts]) for name in ("inputs", "outputs", "step")}
    return MlpRows(**columns, layer=parts[0].layer)


@dataclass(frozen=True)
class MlpSplice:
    """What stands in place of an MLP: called with windows, it returns the hooks for a run on just these."""

    model: DecisionTransformer
    layer: int
    edit: RowEdit | None
    """what it reads, behind its norm, into what is written instead; None leaves the model alone"""
    at: TokenChoice = real_tokens

    def __call__(self, windows: Windows) -> list[Hook]:
        """Return no hooks, or the two that read and write at the chosen tokens; all others stay as they are.

        What other hooks change on the way to the MLP is read; at the very place of reading, what those before this one
        change.
        """
        if self.edit is None:
            return []
        edit, norm = self.edit, self.model.layers[self.layer].ln2
        is_chosen = self.at(self.model, windows)
        seen: dict[str, Tensor] = {}

        def write(activation: Tensor, **_: HookPoint) -> Tensor:
            edited = activation.clone()
            edited[is_chosen] = edit(norm.weigh(seen[reading[0]])[is_chosen])
            return edited

        reading = _keeping(seen, _read_at(self.model, self.layer))
        return [reading, (f"blocks.{self.layer}.hook_mlp_out", write)]


def check_layer(model: DecisionTransformer, layer: int) -> None:
    """Raise `UserError` where the model has no such block."""
    if not 0 <= layer < model.cfg.n_layers:
        raise UserError(f"the layer is {layer}, expected 0 to {model.cfg.n_layers - 1}: give a block of the model.")


def _read_at(model: DecisionTransformer, layer: int) -> str:
    """Return the last hook before the MLP: behind its norm, but for the weights of the norm."""
    has_norm = model.cfg.normalization_type != "none"
    return f"blocks.{layer}.ln2.hook_normalized" if has_norm else f"blocks.{layer}.hook_resid_mid"


def _by_token(model: DecisionTransformer, values: Shaped[Tensor, "batch slot"]) -> Shaped[Tensor, "batch token"]:
    """Return each slot's value for all its tokens; the last action is none."""
    return values.repeat_interleave(model.cfg.tokens_per_slot, dim=1)[:, :-1]  # batch token


def _keeping(seen: dict[str, Tensor], name: str) -> Hook:
    def keep(activation: Tensor, **_: HookPoint) -> None:
        seen[name] = activation

    return name, keep
