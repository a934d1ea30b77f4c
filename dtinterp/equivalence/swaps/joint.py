"""Joint replacement: every observation of a history shown as a member of its class, all at once.

Swaps of one observation that each stay within ε need not compose. What a player that confuses the members of each class
would do is only seen when all that it remembers is replaced together; what counts is the decision that is made then,
the last one of the window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.packing import distinct, unlike
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.model.network.transformer import DecisionTransformer

BATCH = 512
"""Windows per forward pass."""
NOT_COMPARED = -1
"""The place of a pad, and of an observation that is in no class."""


@dataclass(frozen=True)
class ComparedHistories:
    """Distinct windows, and the place of each of their observations among the compared ones."""

    windows: Windows
    place: Int64[Tensor, "batch slot"]
    """`NOT_COMPARED` where there is none"""

    def __len__(self) -> int:
        """Return the number of histories."""
        return len(self.place)

    def __getitem__(self, chosen: slice | Int64[Tensor, " chosen"] | Bool[Tensor, " batch"]) -> "ComparedHistories":
        """Return the chosen ones."""
        return ComparedHistories(self.windows[chosen], self.place[chosen])


@dataclass(frozen=True)
class JointDecisions:
    """What histories led to when their observations were shown as others."""

    stand_in: Int64[Tensor, "batch slot"]
    """the place of what was shown"""
    divergence: Float64[Tensor, " batch"]
    """bits, of the last decision"""
    is_kept: Bool[Tensor, " batch"]
    """whether the most likely action stayed the same"""
    is_replaced: Bool[Tensor, " batch"]
    """whether anything was shown as something else"""

    def __getitem__(self, chosen: Int64[Tensor, " chosen"]) -> "JointDecisions":
        """Return the chosen ones."""
        return JointDecisions(**{name: column[chosen] for name, column in vars(self).items()})


@dataclass(frozen=True)
class Player:
    """A model, and the observations that it is shown."""

    model: DecisionTransformer
    items: Float32[Tensor, "table item"]
    """the one-hot coded frame table"""
    frame_id: Int64[Tensor, " frame"]
    """rows of the compared observations"""

    @torch.no_grad()
    def logits(self, windows: Windows) -> Float[Tensor, "batch action"]:
        """Return the logits of the last decision of each window."""
        shown, row = windows.frame_id.unique(return_inverse=True)
        items = self.items[shown]
        parts = (replace(windows, frame_id=row)[at : at + BATCH].to(items.device) for at in range(0, len(row), BATCH))
        parts = [self.model(part, items)[:, -1].cpu() for part in parts]
        return torch.cat(parts) if parts else torch.zeros(0, self.model.cfg.n_actions)

    def shown(self, histories: ComparedHistories, stand_in: Int64[Tensor, "batch slot"]) -> Windows:
        """Return the windows with each observation shown as the one at the place given."""
        is_compared = histories.place != NOT_COMPARED
        rows = torch.where(is_compared, self.frame_id[stand_in.clamp(min=0)], histories.windows.frame_id)
        return replace(histories.windows, frame_id=rows)

    def decide(
        self,
        histories: ComparedHistories,
        stand_in: Int64[Tensor, "batch slot"],
        intact: Float[Tensor, "batch action"],
    ) -> JointDecisions:
        """Compare the decisions with those that the histories led to as they were; what is not replaced is not run."""
        is_replaced = (stand_in != histories.place).any(1)
        logits = intact.clone()
        logits[is_replaced] = self.logits(self.shown(histories[is_replaced], stand_in[is_replaced]))
        return JointDecisions(
            stand_in,
            js_divergence(logits, intact),
            logits.argmax(-1) == intact.argmax(-1),
            is_replaced,
        )


def histories_of(
    trajectories: Trajectories,
    steps: Int64[Tensor, " side"],
    *,
    frame_id: Int64[Tensor, " frame"],
    n_slots: int,
    generator: torch.Generator,
    seen: Int64[Tensor, " seen"] | None = None,
) -> ComparedHistories:
    """Return the windows that end at `steps`, in random order, each one once however often it is met.

    Two are one where a model sees the same. None is like a window that ends at one of the `seen` steps.
    """
    windows = window(trajectories, steps, n_slots)
    if seen is not None:
        windows = windows[unlike(windows, window(trajectories, seen, n_slots))]
    unknown = torch.full_like(windows.action[:, -1:], PAD_ACTION)  # the last action is what the model is to say
    windows = distinct(replace(windows, action=torch.cat([windows.action[:, :-1], unknown], dim=1))).windows
    windows = windows[torch.randperm(len(windows), generator=generator)]
    place_of = torch.full((len(trajectories.frames),), NOT_COMPARED)
    place_of[frame_id] = torch.arange(len(frame_id))
    return ComparedHistories(windows, torch.where(windows.mask, place_of[windows.frame_id], NOT_COMPARED))


def by_table(histories: ComparedHistories, table: Int64[Tensor, " frame"]) -> Int64[Tensor, "batch slot"]:
    """Return what a table of stand-ins, one a compared observation, shows in each slot."""
    is_compared = histories.place != NOT_COMPARED
    return torch.where(is_compared, table[histories.place.clamp(min=0)], NOT_COMPARED)


def drawn(
    histories: ComparedHistories, partition: Partition, luck: Float32[Tensor, "batch slot"]
) -> Int64[Tensor, "batch slot"]:
    """Return members of each observation's class, drawn anew in every slot by numbers uniform in [0, 1)."""
    members, sizes = _members(partition)
    place = histories.place.clamp(min=0)
    size = sizes[place]
    chosen = members[place].gather(-1, (luck * size).long().clamp(max=size - 1)[..., None])[..., 0]
    return torch.where(histories.place != NOT_COMPARED, chosen, NOT_COMPARED)


def worst_found(
    player: Player,
    histories: ComparedHistories,
    partition: Partition,
    intact: Float[Tensor, "batch action"],
    *,
    begun: Int64[Tensor, "batch slot"],
    most_sweeps: int = 1,
) -> Int64[Tensor, "batch slot"]:
    """Return the stand-ins of each history that move its decision most, by a search slot after slot from `begun`.

    In each slot, the last one first, every member of the observation's class is tried with all other slots as they are
    by then, and the one that moves the decision most is kept; so until a sweep over all slots changes nothing, or
    `most_sweeps` are done. A lower bound on the worst: nothing is proved by it.
    """
    members, sizes = _members(partition)
    stand_in = begun.clone()
    worst = player.decide(histories, stand_in, intact).divergence
    for slot in _slots(stand_in, most_sweeps):
        place = histories.place[:, slot]
        size = torch.where(place != NOT_COMPARED, sizes[place.clamp(min=0)], 0)
        for member in range(int(size.max()) if len(size) else 0):
            rows = (size > member).nonzero().squeeze(1)
            rows = rows[size[rows] > 1]
            if not len(rows):
                continue
            tried = stand_in[rows].clone()
            tried[:, slot] = members[place[rows], member]
            found = player.decide(histories[rows], tried, intact[rows]).divergence
            better = found > worst[rows]
            stand_in[rows[better]], worst[rows[better]] = tried[better], found[better]
    return stand_in


def _slots(stand_in: Int64[Tensor, "batch slot"], most_sweeps: int) -> Iterator[int]:
    """Yield the slots, the last one first, sweep after sweep, while sweeps change the stand-ins."""
    for _ in range(most_sweeps):
        before = stand_in.clone()
        yield from reversed(range(stand_in.shape[1]))
        if torch.equal(stand_in, before):
            return


def blamed(
    player: Player, histories: ComparedHistories, decided: JointDecisions, intact: Float[Tensor, "batch action"]
) -> list[tuple[int, int, float]]:
    """Return, for each history, the pair of places whose swap accounts for most of what its decision moved by.

    It is the slot that, shown as it was, leaves least of the divergence; and the divergence, in bits.
    """
    found = []
    for row in range(len(histories)):
        slots = (decided.stand_in[row] != histories.place[row]).nonzero().squeeze(1)
        tried = decided.stand_in[row].expand(len(slots), -1).clone()
        tried[torch.arange(len(slots)), slots] = histories.place[row, slots]
        same = histories[torch.full_like(slots, row)]
        left = player.decide(same, tried, intact[row].expand(len(slots), -1)).divergence
        slot = slots[int(left.argmin())]
        pair = int(histories.place[row, slot]), int(decided.stand_in[row, slot])
        found.append((*pair, float(decided.divergence[row])))
    return found


def joined(parts: Sequence[JointDecisions]) -> JointDecisions:
    """Return several results, one after the other."""
    return JointDecisions(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _members(partition: Partition) -> tuple[Int64[Tensor, "frame member"], Int64[Tensor, " frame"]]:
    """Return the members of each observation's class, the first ones again where it is smaller, and its size."""
    size = partition.sizes[partition.label]
    largest = int(partition.sizes.max())
    table = torch.stack(
        [
            partition.members(label)[torch.arange(largest) % len(partition.members(label))]
            for label in range(partition.n_classes)
        ]
    )
    return table[partition.label], size
