"""Batches without repetition: distinct windows, counted, and cut to the slots that they fill."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from dtinterp.dataset.windows import Windows


@dataclass(frozen=True)
class Distinct:
    """Each window once."""

    windows: Windows
    """the distinct windows; `step` is that of the first window of each kind"""
    member: Int64[Tensor, " batch"]
    """the distinct window that each window is"""

    @property
    def count(self) -> Int64[Tensor, " distinct"]:
        """How many windows each stands for."""
        return torch.bincount(self.member, minlength=len(self.windows))


@dataclass(frozen=True)
class Pack:
    """Windows of equal slots, each with how often it counts."""

    windows: Windows
    count: Int64[Tensor, " batch"]


def distinct(windows: Windows) -> Distinct:
    """Return the windows that differ in what a model sees or must say; where they come from does not count."""
    rows, member = torch.unique(torch.cat([_seen(windows), windows.action[:, -1:]], dim=1), dim=0, return_inverse=True)
    first = torch.full((len(rows),), len(windows), device=member.device)
    first.scatter_reduce_(0, member, torch.arange(len(windows), device=member.device), reduce="amin")
    return Distinct(windows[first], member)


def unlike(windows: Windows, known: Windows) -> Bool[Tensor, " batch"]:
    """Return which windows differ from all of `known` in what a model sees; it never sees the last slot's action."""
    _, member = torch.unique(torch.cat([_seen(known), _seen(windows)]), dim=0, return_inverse=True)
    return ~torch.isin(member[len(known) :], member[: len(known)])


def pack(windows: Windows, *, cut: bool = True) -> list[Pack]:
    """Return the distinct windows in two packs: those that fill at most half their slots, cut to it, and the rest.

    A model that masks pads gives equal losses for equal slots, so the gradient is that of `windows`, for less work:
    demonstrations of a good agent repeat, and an episode's first windows are mostly padding. A model that attends to
    pads needs them all: without `cut` there is one pack.
    """
    each = distinct(windows)
    if not cut:
        return [Pack(each.windows, each.count)]
    half = windows.n_slots // 2
    is_short = each.windows.mask.sum(dim=1) <= half
    packs = [
        Pack(last_slots(each.windows[is_short], half), each.count[is_short]),
        Pack(each.windows[~is_short], each.count[~is_short]),
    ]
    return [part for part in packs if len(part.windows)]


def last_slots(windows: Windows, n_slots: int) -> Windows:
    """Return the last `n_slots` of each window."""
    return Windows(**{name: column[:, windows.n_slots - n_slots :] for name, column in vars(windows).items()})


def _seen(windows: Windows) -> Int64[Tensor, "batch number"]:
    """Return all that a model sees of each window."""
    rtg = windows.rtg.contiguous().view(torch.int32)
    return torch.cat([windows.frame_id, windows.action[:, :-1], windows.time, windows.mask.long(), rtg.long()], dim=1)
