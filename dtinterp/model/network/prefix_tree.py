"""Histories as a tree of what a model is shown: equal ones once, parents before children, cut into subtrees."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.nn import functional

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, padded

ROOT = -1
"""The parent of a history that begins."""


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """Histories in order of time, each an earlier one, an action, and the frame that was shown after it.

    Within one time they stand in order of their parents, so that what goes on from consecutive histories is
    consecutive, too.
    """

    parent: Int64[Tensor, " node"]
    """`ROOT` where a history begins"""
    action: Int64[Tensor, " node"]
    """the action between the parent's frame and this one; `PAD_ACTION` where a history begins"""
    frame_id: Int64[Tensor, " node"]
    """row of the coded frame table"""
    n_at: tuple[int, ...]
    """how many histories there are of 0, 1, 2, … actions"""

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.parent)

    @property
    def horizon(self) -> int:
        """The most actions in a history."""
        return len(self.n_at) - 1

    def at(self, time: int) -> slice:
        """Return where the histories of so many actions stand."""
        first = sum(self.n_at[:time])
        return slice(first, first + self.n_at[time])

    @cached_property
    def n_children(self) -> Int64[Tensor, " node"]:
        """How many histories go on from each with one more action."""
        return torch.bincount(self.parent[self.n_at[0] :], minlength=len(self))

    @cached_property
    def first_child(self) -> Int64[Tensor, " node"]:
        """The first of them, which the others follow; where there are none, where it would stand."""
        return self.n_at[0] + self.n_children.cumsum(0) - self.n_children

    def sizes(self) -> Int64[Tensor, " node"]:
        """Return the number of histories in the subtree of each, itself included."""
        size = torch.ones_like(self.parent)
        for time in range(self.horizon, 0, -1):
            rows = self.at(time)
            size.index_add_(0, self.parent[rows], size[rows].clone())
        return size

    def windows(self, node: Int64[Tensor, " batch"], *, time: int, n_slots: int, target_return: float) -> Windows:
        """Return the windows of `n_slots` that end at histories of so many actions, asked for one return throughout."""
        steps, actions = [node], [torch.full_like(node, PAD_ACTION)]
        for _ in range(min(time, n_slots - 1)):
            actions.append(self.action[steps[-1]])
            steps.append(self.parent[steps[-1]])
        n_pads = n_slots - len(steps)
        return padded(
            (torch.arange(n_slots) >= n_pads).expand(len(node), -1),
            rtg=target_return,
            frame_id=functional.pad(self.frame_id[torch.stack(steps[::-1], 1)], (n_pads, 0)),
            action=functional.pad(torch.stack(actions[::-1], 1), (n_pads, 0)),
            time=torch.arange(time + 1 - n_slots, time + 1).expand(len(node), -1),
        )


@dataclass(frozen=True)
class PlacedHistories:
    """Histories, and where each stands in the tree of those that differ in what they show."""

    tree: PrefixTree
    node: Int64[Tensor, " history"]


@dataclass(frozen=True)
class Subtree:
    """Histories of a tree with all that goes on from them, and all before them."""

    tree: PrefixTree
    node: Int64[Tensor, " node"]
    """where each stands in the whole tree"""
    n_above: int
    """how many of the first are there because the others need them"""


def prefix_tree(
    parent: Int64[Tensor, " history"], action: Int64[Tensor, " history"], frame_id: Int64[Tensor, " history"]
) -> PlacedHistories:
    """Return the tree of these histories, those that show the same frames after the same actions once.

    The parent of a history that begins is `ROOT`, and its action is not read. Raises ValueError unless the histories
    are in order of time, parents before children.
    """
    node, parts, n_before = torch.empty_like(parent), [], 0
    n_frames, n_actions = int(frame_id.max()) + 1, max(int(action.max()), PAD_ACTION) + 1
    for rows in _by_time(parent):
        begins = rows.start == 0
        above = torch.full_like(parent[rows], ROOT) if begins else node[parent[rows]]
        acted = torch.full_like(above, PAD_ACTION) if begins else action[rows]
        key = ((above + 1) * n_actions + acted) * n_frames + frame_id[rows]  # in order of parents
        distinct, member = key.unique(return_inverse=True)
        node[rows] = n_before + member
        n_before += len(distinct)
        parts.append(distinct)
    keys = torch.cat(parts)
    tree = PrefixTree(
        parent=keys // n_frames // n_actions - 1,
        action=keys // n_frames % n_actions,
        frame_id=keys % n_frames,
        n_at=tuple(len(each) for each in parts),
    )
    return PlacedHistories(tree, node)


def subtrees(tree: PrefixTree, most: int) -> Iterator[Subtree]:
    """Yield subtrees of about `most` histories that cover the tree, each history below or above the cut in one.

    A subtree is never cut further than to a single history of the last time.
    """
    sizes = tree.sizes()
    cut = next(time for time in range(len(tree.n_at)) if time == tree.horizon or sizes[tree.at(time)].max() <= most)
    top = sum(tree.n_at[:cut])
    if cut:
        above = PrefixTree(tree.parent[:top], tree.action[:top], tree.frame_id[:top], tree.n_at[:cut])
        yield Subtree(above, torch.arange(top), 0)
    piece = (sizes[tree.at(cut)].cumsum(0) - 1) // most
    for n_roots in piece.unique_consecutive(return_counts=True)[1].tolist():
        yield _below(tree, cut, slice(top, top + n_roots))
        top += n_roots


def _below(tree: PrefixTree, cut: int, roots: slice) -> Subtree:
    bounds = [roots]
    for _ in range(cut):
        bounds.insert(0, slice(int(tree.parent[bounds[0].start]), int(tree.parent[bounds[0].stop - 1]) + 1))
    while tree.n_children[bounds[-1]].any():
        last = bounds[-1].stop - 1
        bounds.append(
            slice(int(tree.first_child[bounds[-1].start]), int(tree.first_child[last] + tree.n_children[last]))
        )
    n_at = tuple(bound.stop - bound.start for bound in bounds)
    moved = [bound.start - sum(n_at[:time]) for time, bound in enumerate(bounds)]
    parent = [tree.parent[bounds[0]], *(tree.parent[at] - by for at, by in zip(bounds[1:], moved, strict=False))]
    node = torch.cat([torch.arange(bound.start, bound.stop) for bound in bounds])
    part = PrefixTree(torch.cat(parent), tree.action[node], tree.frame_id[node], n_at)
    return Subtree(part, node, sum(n_at[:cut]))


def _by_time(parent: Int64[Tensor, " history"]) -> Iterator[slice]:
    """Yield where the histories of 0, 1, 2, … actions stand."""
    start, stop = 0, int((parent == ROOT).sum())
    is_in_order = bool((parent[:stop] == ROOT).all())
    while is_in_order and start < stop:
        yield slice(start, stop)
        n_next = int(((parent >= start) & (parent < stop)).sum())
        is_in_order = bool(
            (parent[stop : stop + n_next] >= start).all() and (parent[stop : stop + n_next] < stop).all()
        )
        start, stop = stop, stop + n_next
    if not is_in_order or stop < len(parent):
        raise ValueError("the histories are not in order of time, parents before children")
