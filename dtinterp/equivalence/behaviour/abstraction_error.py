"""Causal abstraction error of classes: whether setting one does what the classes predict, whichever member is shown.

Classes are read as a causal abstraction of a player (Geiger et al. 2023, arXiv:2301.04709). The high-level model has a
variable for each slot, the class of what is observed there, and decides as the player does when it is shown the
representative of each. Which member of its class an observation is, is left out. The abstraction is faithful where two
ways lead to the same decision: classes are set in the high-level model; or members of these classes are shown to the
player, while what is left out is perturbed as well, so that all other slots show members of their classes that are
drawn anew (arXiv:2607.00267: metrics that do not perturb it cannot tell valid abstractions from invalid ones).

    error   JS(player shown members, player shown representatives), the same classes set in both, of the last decision
    effect  JS(player shown members, player shown the history as it is)

An error says little where the effect is as small, as in a player that hardly responds to what it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from dtinterp.equivalence.partition import Partition, representatives
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.equivalence.swaps.joint import NOT_COMPARED, ComparedHistories, Player, drawn
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval, bootstrap_mean, clopper_pearson, wilson

SetSlots = Literal["no slot", "one slot", "every slot"]
OtherSlots = Literal["as they are", "drawn members"]
INTERVENTIONS: tuple[tuple[SetSlots, OtherSlots], ...] = (
    ("no slot", "drawn members"),
    ("one slot", "as they are"),
    ("one slot", "drawn members"),
    ("every slot", "drawn members"),
)


@dataclass(frozen=True)
class AbstractionConfig:
    """How much is tried."""

    n_histories: int
    epsilon: float
    """bits that an error may come to"""
    seed: int


@dataclass(frozen=True)
class AbstractionOutcome:
    """How well some classes predict what one kind of intervention does."""

    classes: str
    n_classes: int
    set_in: SetSlots
    """where the class is set to another one, each as likely; a single slot is drawn for each history"""
    others: OtherSlots
    """what the other slots show"""
    n_histories: int
    error: Interval
    """bits, the mean over histories; bootstrap, 95%"""
    beyond: Interval
    """share of histories in which the error is more than epsilon; Clopper-Pearson, 95%"""
    same_action: Interval
    """share of histories in which both have the same most likely action; Wilson, 95%"""
    effect: float
    """bits, the mean over histories"""


def abstraction_errors(
    player: Player,
    histories: ComparedHistories,
    partitions: Mapping[str, Partition],
    relation: Relation,
    config: AbstractionConfig,
) -> tuple[AbstractionOutcome, ...]:
    """Return the errors of each partition, by name, in the first histories that show anything compared.

    Representatives are chosen by `relation`. Slots, classes and members are drawn by the same numbers for all
    partitions. Returns nothing where there are no histories.
    """
    some = histories[(histories.place != NOT_COMPARED).any(1)][: config.n_histories]
    if not len(some):
        return ()
    intact = player.logits(some.windows)
    luck = torch.rand(3, *some.place.shape, generator=generator(config.seed, "abstraction error"))
    diagrams = {
        name: _Diagram(player, some, partition, representatives(partition, relation), luck)
        for name, partition in partitions.items()
    }
    return tuple(
        _outcome(name, diagram, set_in, others, intact, config)
        for name, diagram in diagrams.items()
        for set_in, others in INTERVENTIONS
    )


@dataclass(frozen=True)
class _Diagram:
    """Both ways from a history to a decision."""

    player: Player
    histories: ComparedHistories
    partition: Partition
    representative: Int64[Tensor, " frame"]
    luck: Float32[Tensor, "3 batch slot"]
    """uniform in [0, 1): the slot to be set, the class that it is set to, and the members that are shown"""

    def is_set(self, set_in: SetSlots) -> Bool[Tensor, "batch slot"]:
        """Return the slots whose class is set, all of them compared."""
        is_compared = self.histories.place != NOT_COMPARED
        match set_in:
            case "no slot":
                return torch.zeros_like(is_compared)
            case "every slot":
                return is_compared
            case "one slot":
                chosen = torch.where(is_compared, self.luck[0], -1.0).argmax(1)
                return torch.zeros_like(is_compared).scatter_(1, chosen[:, None], True)

    def abstract(self, is_set: Bool[Tensor, "batch slot"]) -> Int64[Tensor, "batch slot"]:
        """Return the representatives of all classes after some were set to another one, if there is another."""
        label = self.partition.label[self.histories.place.clamp(min=0)]
        n_others = self.partition.n_classes - 1
        further = 1 + (self.luck[1] * n_others).long().clamp(max=max(n_others - 1, 0))
        after = torch.where(is_set & (n_others > 0), (label + further) % self.partition.n_classes, label)
        of_class = torch.empty(self.partition.n_classes, dtype=torch.int64)
        of_class[self.partition.label] = self.representative
        return torch.where(self.histories.place != NOT_COMPARED, of_class[after], NOT_COMPARED)

    def concrete(
        self, abstract: Int64[Tensor, "batch slot"], is_set: Bool[Tensor, "batch slot"], others: OtherSlots
    ) -> Int64[Tensor, "batch slot"]:
        """Return members of the same classes, drawn; in the slots that are not set, what is there or drawn as well."""
        members = drawn(ComparedHistories(self.histories.windows, abstract), self.partition, self.luck[2])
        return members if others == "drawn members" else torch.where(is_set, members, self.histories.place)

    def decide(self, shown: Int64[Tensor, "batch slot"]) -> Float[Tensor, "batch action"]:
        """Return the player's last logits when it is shown the observations at these places."""
        return self.player.logits(self.player.shown(self.histories, shown))


def _outcome(
    name: str,
    diagram: _Diagram,
    set_in: SetSlots,
    others: OtherSlots,
    intact: Float[Tensor, "batch action"],
    config: AbstractionConfig,
) -> AbstractionOutcome:
    is_set = diagram.is_set(set_in)
    abstract = diagram.abstract(is_set)
    predicted, happened = map(diagram.decide, (abstract, diagram.concrete(abstract, is_set, others)))
    error, n = js_divergence(happened, predicted), len(intact)
    return AbstractionOutcome(
        classes=name,
        n_classes=diagram.partition.n_classes,
        set_in=set_in,
        others=others,
        n_histories=n,
        error=bootstrap_mean(error.numpy(), numpy_generator(config.seed, f"abstraction error/{name}")),
        beyond=clopper_pearson(int((error > config.epsilon).sum()), n),
        same_action=wilson(int((happened.argmax(-1) == predicted.argmax(-1)).sum()), n),
        effect=float(js_divergence(happened, intact).mean()),
    )
