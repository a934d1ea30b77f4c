"""Resampling ablation: the heads, MLPs and slots without which a model acts otherwise.

A part is ablated by resampling: in its place stands what it does in another window with as many real slots, drawn at
random several times. The network then never sees what no window could have put there, as it would with zeros.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook

MOST = 0.5
"""A window counts as flipped where more than this share of the draws change the action."""


@dataclass(frozen=True)
class Head:
    """What one attention head writes, at every token."""

    layer: int
    head: int


@dataclass(frozen=True)
class Mlp:
    """What one MLP writes, at every token."""

    layer: int


@dataclass(frozen=True)
class Slot:
    """The frame that one slot shows, counted from 0."""

    slot: int


Part: TypeAlias = Head | Mlp | Slot


@dataclass(frozen=True)
class ComponentFlips:
    """How each window's last action depends on each part."""

    part: tuple[Part, ...]
    flipped: Float32[Tensor, "part batch"]
    """share of the draws in which the most likely action changes; NaN where the window has no such slot, or no other
    window has as many real slots"""
    lost: Float32[Tensor, "part batch"]
    """probability of the intact model's action, less its mean over the draws; NaN likewise"""
    instead: Int64[Tensor, "part batch"]
    """the action that is most likely on average over the draws"""
    action: Int64[Tensor, " batch"]
    """the intact model's most likely action"""
    n_draws: int

    @property
    def is_flipped(self) -> Bool[Tensor, "part batch"]:
        """Whether most draws change the action."""
        return self.flipped > MOST

    def share(self, part: int) -> Interval:
        """Return the share of windows with that part whose action flips, with Wilson's interval."""
        n = int((~self.flipped[part].isnan()).sum())
        return wilson(int(self.is_flipped[part].sum()), max(n, 1))


def starting_points(
    flips: ComponentFlips, is_right: Bool[Tensor, " batch"], n: int, *, n_per_part: int
) -> Int64[Tensor, "found 2"]:
    """Return part and window where ablation makes a right prediction wrong, the most probability lost first.

    Each window comes up once, each part `n_per_part` times at most; what flips fewer draws than most is left out.
    """
    lost = torch.where(flips.is_flipped & is_right, flips.lost, -torch.inf)
    order = lost.flatten().argsort(descending=True, stable=True)[: int(lost.isfinite().sum())].tolist()
    found: list[tuple[int, int]] = []
    for part, window in (divmod(place, len(is_right)) for place in order):
        owed = sum(part == other for other, _ in found)
        if len(found) < n and owed < n_per_part and all(window != other for _, other in found):
            found.append((part, window))
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 2)


def label_of(part: Part) -> str:
    """Return what a part is called; slots count from 1, as everywhere that they are shown."""
    match part:
        case Head(layer, head):
            return f"head L{layer}H{head}"
        case Mlp(layer):
            return f"MLP {layer}"
        case Slot(slot):
            return f"slot {slot + 1}"
        case _:
            assert_never(part)


def parts_of(model: DecisionTransformer, n_slots: int) -> tuple[Part, ...]:
    """Return every head, every MLP and every slot."""
    cfg = model.cfg
    heads = [Head(layer, head) for layer in range(cfg.n_layers) for head in range(cfg.n_heads)]
    return (*heads, *(Mlp(layer) for layer in range(cfg.n_layers)), *(Slot(slot) for slot in range(n_slots)))


@torch.no_grad()
def component_flips(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    *,
    n_draws: int,
    generator: torch.Generator,
) -> ComponentFlips:
    """Return what happens to the last action of each window when each part comes from another window.

    Raises `UserError` where a window ends in a pad, or no two windows have equally many real slots.
    """
    donors = _donors(windows, n_draws, generator)  # draw batch
    parts = parts_of(model, windows.n_slots)
    run = _Run(model, windows, items, *_kept(model, windows, items))
    action = run.intact.argmax(dim=1)
    ablated = [torch.stack([_with(run, part, donor) for donor in donors]) for part in parts]
    is_there = torch.stack([_is_there(windows, part) for part in parts]) & (donors[0] != torch.arange(len(windows)))
    flipped = torch.stack([(chance.argmax(dim=2) != action).float().mean(dim=0) for chance in ablated])
    mean = torch.stack([chance.mean(dim=0) for chance in ablated])  # part batch action
    own = action[:, None]
    lost = run.intact.gather(1, own)[:, 0] - mean.gather(2, own.expand(len(parts), -1, 1))[..., 0]
    return ComponentFlips(
        part=parts,
        flipped=flipped.where(is_there, torch.nan),
        lost=lost.where(is_there, torch.nan),
        instead=mean.argmax(dim=2),
        action=action,
        n_draws=n_draws,
    )


@dataclass(frozen=True)
class _Run:
    model: DecisionTransformer
    windows: Windows
    items: Float32[Tensor, "frame item"]
    intact: Float32[Tensor, "batch action"]
    """chances of the last action"""
    seen: Mapping[str, Tensor]
    """what heads and MLPs do in the intact model"""


def _kept(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]
) -> tuple[Float32[Tensor, "batch action"], Mapping[str, Tensor]]:
    seen: dict[str, Tensor] = {}

    def keeping(name: str) -> Hook:
        def keep(activation: Tensor, **_: HookPoint) -> None:
            seen[name] = activation

        return name, keep

    layers = range(model.cfg.n_layers)
    hooks = [keeping(_name(part)) for layer in layers for part in (Head(layer, 0), Mlp(layer))]
    return model.run_with_hooks(windows, items, fwd_hooks=[*hooks])[:, -1].softmax(dim=1), seen


def _with(run: _Run, part: Part, donor: Int64[Tensor, " batch"]) -> Float32[Tensor, "batch action"]:
    """Return the chances of the last action with a part taken from each window's donor."""
    match part:
        case Slot(slot):
            frame_id = run.windows.frame_id.clone()
            frame_id[:, slot] = frame_id[donor, slot]
            logits = run.model(replace(run.windows, frame_id=frame_id), run.items)
        case Head() | Mlp():
            hook = _putting(part, run.seen[_name(part)][donor])
            logits = run.model.run_with_hooks(run.windows, run.items, fwd_hooks=[hook])
        case _:
            assert_never(part)
    return logits[:, -1].softmax(dim=1)


def _putting(part: Head | Mlp, other: Tensor) -> Hook:
    def put(activation: Tensor, **_: HookPoint) -> Tensor:
        if isinstance(part, Mlp):
            return other
        changed = activation.clone()
        changed[:, :, part.head] = other[:, :, part.head]
        return changed

    return _name(part), put


def _name(part: Head | Mlp) -> str:
    """Return the hook at which a part writes; all heads of a layer share one."""
    return f"blocks.{part.layer}.{'attn.hook_z' if isinstance(part, Head) else 'hook_mlp_out'}"


def _is_there(windows: Windows, part: Part) -> Bool[Tensor, " batch"]:
    return windows.mask[:, part.slot] if isinstance(part, Slot) else windows.mask[:, -1]


def _donors(windows: Windows, n_draws: int, generator: torch.Generator) -> Int64[Tensor, "draw batch"]:
    """Return for each window another one with as many real slots, drawn anew each time; itself where there is none."""
    if not windows.mask[:, -1].all():
        raise UserError("some windows end in a pad, so no last action is theirs: give windows that end at a step.")
    n_real = windows.mask.sum(dim=1)
    donors = torch.arange(len(windows)).repeat(n_draws, 1)
    if len(n_real.unique()) == len(n_real):
        raise UserError(f"no two of the {len(windows)} windows have equally many real slots: give more windows.")
    for length in n_real.unique():
        like = (n_real == length).nonzero().squeeze(1)
        for draw in range(n_draws if len(like) > 1 else 0):
            ring = like[torch.randperm(len(like), generator=generator)]
            donors[draw, ring] = ring.roll(1)
    return donors
