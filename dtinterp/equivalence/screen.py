"""A model and its held-out data become classes of very many observations: probed, linked, and tried by counterexample.

`certify` swaps each observation with each other in its own contexts, which costs the square of their number. Here the
close pairs are found by probes first, classes are made of those, and only class-mates are swapped in their own
contexts; of a large class some mates are drawn for each context. What the probes tell apart is apart in a real window,
so no class holds two observations that a probe tells apart by more than epsilon.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes import Partition, check_epsilon
from dtinterp.equivalence.contexts import Contexts, draw_contexts
from dtinterp.equivalence.frames import ChosenFrames, most_visited
from dtinterp.equivalence.inside import Attempts, Draft, attempt, mates
from dtinterp.equivalence.ledger import Ledger
from dtinterp.equivalence.probing import classes_of_pairs, close_pairs, raised, responses
from dtinterp.equivalence.refinement import Round
from dtinterp.equivalence.trials import embedded
from dtinterp.foundation.ranges import require_at_least
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval, clopper_pearson
from dtinterp.model.transformer import DecisionTransformer


@dataclass(frozen=True)
class ScreenConfig:
    """How many observations are sorted; the work grows with n_frames × (n_probes + n_rounds × n_mates)."""

    n_frames: int = 10_000
    """observations: the most visited on the held-out side"""
    n_probes: int = 32
    """held-out contexts in which all of them stand in"""
    n_rounds: int = 2
    """times that class-mates are swapped in a context of their own, and classes split by counterexample"""
    n_mates: int = 16
    """class-mates that are tried in a context, at most"""
    n_verified: int = 2_000
    """observations whose class is tried in one more context, for the bound"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart"""
    seed: int = 0
    """seed of probes, contexts and mates"""

    def __post_init__(self) -> None:
        """Refuse what cannot be sorted."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(self, 1, "n_probes", "n_mates")
        require_at_least(self, 0, "n_rounds", "n_verified")


@dataclass(frozen=True)
class Screening:
    """Classes of many observations, and what was tried to tell them apart."""

    env_id: str
    config: ScreenConfig
    chosen: ChosenFrames
    partition: Partition
    n_pairs: int
    """pairs of observations"""
    n_looked_at: int
    """of these, compared at all; the others are apart by the guarantee of `probing`"""
    n_close: int
    """of these, told apart by no probe"""
    rounds: tuple[Round, ...]
    failures: Interval | None
    """share of the observations in whose fresh context some class-mate moved a decision by more than epsilon, at 95%;
    None where no class holds two, or none was tried"""


def screen(
    model: DecisionTransformer,
    trajectories: Trajectories,
    *,
    split: Split,
    items: Float32[Tensor, "table item"],
    config: ScreenConfig,
    ledger: Ledger,
) -> Screening:
    """Sort the most visited held-out observations into classes; raises `UserError` where nothing was held out."""
    chosen = most_visited(trajectories, split.held_out, config.n_frames)
    drawing = _Drawing(model, trajectories, split.held_out, items, chosen.frame_id, config)
    logits = responses(model, drawing.probes(), items=items, frame_id=chosen.frame_id, ledger=ledger)
    pairs = close_pairs(logits, config.epsilon)
    partition, rounds = classes_of_pairs(pairs, config.epsilon), []
    for number in range(config.n_rounds):
        found = drawing.tried(partition, f"round {number}", n_tried=len(chosen.frame_id))
        if found is None:
            break
        pairs = raised(pairs, found.place, found.stand_in, found.peak)
        partition = classes_of_pairs(pairs, config.epsilon)
        n_beyond = int((found.peak > config.epsilon).sum())
        rounds.append(Round(len(found.context.unique()), len(found), n_beyond, partition.n_classes))
    return Screening(
        env_id=trajectories.env_id,
        config=config,
        chosen=chosen,
        partition=partition,
        n_pairs=len(chosen.frame_id) * (len(chosen.frame_id) - 1) // 2,
        n_looked_at=pairs.n_looked_at,
        n_close=len(pairs),
        rounds=tuple(rounds),
        failures=_failures(drawing.tried(partition, "verification", n_tried=config.n_verified), config.epsilon),
    )


@dataclass(frozen=True)
class _Drawing:
    model: DecisionTransformer
    trajectories: Trajectories
    steps: Int64[Tensor, " held_out"]
    items: Float32[Tensor, "table item"]
    frame_id: Int64[Tensor, " frame"]
    config: ScreenConfig

    def probes(self) -> Contexts:
        """Return contexts of observations that were drawn by their visits."""
        rng = generator(self.config.seed, "screen/probes")
        visits = self.trajectories.frame_id[self.steps].long()
        frames = visits[torch.randperm(len(visits), generator=rng)].unique_consecutive()[: 4 * self.config.n_probes]
        drawn = self._contexts(frames.unique(), rng)
        return drawn[torch.randperm(len(drawn), generator=rng)[: self.config.n_probes]]

    def tried(self, partition: Partition, name: str, *, n_tried: int) -> Attempts | None:
        """Swap class-mates in one context of each of `n_tried` observations; None where no class holds two."""
        rng = generator(self.config.seed, f"screen/{name}")
        shared = (partition.sizes[partition.label] > 1).nonzero().squeeze(1)
        places = shared[torch.randperm(len(shared), generator=rng)[:n_tried]].sort().values
        if not len(places):
            return None
        contexts = self._contexts(self.frame_id[places], rng)
        embedding = embedded(self.model, self.items[self.frame_id])
        drafts = [_some(mates(partition, embedding), self.config.n_mates, rng)]
        (found,) = attempt(self.model, contexts, items=self.items, places=places, drafts=drafts)
        return found

    def _contexts(self, frames: Int64[Tensor, " chosen"], rng: torch.Generator) -> Contexts:
        return draw_contexts(
            self.trajectories,
            self.steps,
            frame_id=frames,
            n_contexts=1,
            n_slots=self.model.cfg.n_slots,
            generator=rng,
        )


def _some(draft: Draft, most: int, rng: torch.Generator) -> Draft:
    """Return the draft of at most so many of what `draft` gives, drawn anew for each context."""

    def drawn(place: int) -> tuple[Int64[Tensor, " swap"], Float32[Tensor, "swap d_model"]]:
        stand_in, embedding = draft(place)
        chosen = torch.randperm(len(stand_in), generator=rng)[:most]
        return stand_in[chosen], embedding[chosen]

    return drawn


def _failures(attempts: Attempts | None, epsilon: float) -> Interval | None:
    if attempts is None:
        return None
    n_contexts = len(attempts.context.unique())
    return clopper_pearson(len(attempts.context[attempts.peak > epsilon].unique()), n_contexts)
