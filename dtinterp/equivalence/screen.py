"""Screening of very many observations: probed, linked, and refined by counterexample.

`certify` swaps each observation with each other in its own contexts, which costs the square of their number. Here the
close pairs are found by probes first, classes are made of those, and only class-mates are swapped in their own
contexts; of a large class some mates are drawn for each context. What the probes tell apart is apart in a real window,
so no class holds two observations that a probe tells apart by more than epsilon.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dtinterp.equivalence.classes.probing import classes_of_pairs, close_pairs, raised, responses
from dtinterp.equivalence.classes.refinement import Round
from dtinterp.equivalence.classes.verification import CertifyInputs, Verified, VerifyConfig, verify
from dtinterp.equivalence.partition import Partition, check_epsilon
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames, most_visited
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts, unlike
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.equivalence.swaps.within_class import Attempts, Swapper, attempt, mates, some_of
from dtinterp.equivalence.truth.screened_agreement import ScreenedAgreement, ScreenedAgreementConfig, screened_agreement
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from environments.graph.state_graph import state_graph
from environments.registration import SUPPORTED_IDS

Source = Literal["held-out", "world"]


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
    """observations whose class is tried in fresh contexts, which bounds and controls rest on; 0 gives none"""
    n_fresh: int = 1
    """contexts of each of these, used for nothing before"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart"""
    contexts: Source = "held-out"
    """where observations stand: held-out for the steps of held-out demonstrations, world for tours that were never
    trained on and show every observation that the world has"""
    n_tours: int = 4
    """tours to each observation of the world"""
    n_draws: int = 200
    """random classes of equal sizes per comparison with the world"""
    n_quotient_draws: int = 10
    """random classes of equal sizes that the model acts on, per partition"""
    target_return: float = 0.892
    """return asked of the model when it acts on classes"""
    seed: int = 0
    """seed of tours, probes, contexts, mates and controls"""

    def __post_init__(self) -> None:
        """Refuse what cannot be sorted."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(self, 1, "n_probes", "n_mates", "n_fresh", "n_tours", "n_draws", "n_quotient_draws")
        require_at_least(self, 0, "n_rounds", "n_verified")
        require_sensible(self)


@dataclass(frozen=True)
class Screening:
    """Classes of many observations, and what was tried to tell them apart."""

    env_id: str
    config: ScreenConfig
    chosen: ChosenFrames
    frames: UInt8[Tensor, "frame view view 3"]
    """what the chosen observations show"""
    partition: Partition
    n_pairs: int
    """pairs of observations"""
    n_looked_at: int
    """of these, compared at all; the others are apart by the guarantee of `probing`"""
    n_close: int
    """of these, told apart by no probe"""
    rounds: tuple[Round, ...]
    assay: Verified | None
    """in contexts that nothing was chosen by; None where no class holds two, or none was tried"""
    standing: ScreenedAgreement | None
    """in the world; None where its states are not known"""

    def __post_init__(self) -> None:
        """Refuse classes and pictures of other observations."""
        chosen = {"chosen frames": len(self.chosen.frame_id)}
        require_equally_many(**chosen, frames=len(self.frames), labels=len(self.partition.label))

    @property
    def failures(self) -> Interval | None:
        """The share of fresh contexts in which some class-mate moved a decision by more than epsilon, at 95%."""
        return None if self.assay is None else self.assay.arms[0].share


def screen_inputs(inputs: CertifyInputs, config: ScreenConfig) -> Screening:
    """Sort the most visited held-out observations into classes; raises `UserError` where nothing was held out."""
    chosen = most_visited(inputs.trajectories, inputs.steps, config.n_frames)
    drawing = _Drawing(inputs, chosen.frame_id, config)
    probes = drawing.probes()
    asked = {"items": inputs.items, "frame_id": chosen.frame_id, "cache": inputs.cache}
    pairs = close_pairs(responses(inputs.model, probes, **asked), config.epsilon)
    partition, rounds, used = classes_of_pairs(pairs, config.epsilon), [], [probes]
    for number in range(config.n_rounds):
        fresh = drawing.fresh(partition, f"round {number}")
        if fresh is None:
            break
        found = drawing.tried(partition, fresh)
        pairs = raised(pairs, found.place, found.stand_in, found.peak)
        partition = classes_of_pairs(pairs, config.epsilon)
        n_beyond = int((found.peak > config.epsilon).sum())
        rounds.append(Round(len(fresh.contexts), len(found), n_beyond, partition.n_classes))
        used.append(fresh.contexts)
    return Screening(
        env_id=inputs.trajectories.env_id,
        config=config,
        chosen=chosen,
        frames=inputs.trajectories.frames[chosen.frame_id],
        partition=partition,
        n_pairs=len(chosen.frame_id) * (len(chosen.frame_id) - 1) // 2,
        n_looked_at=pairs.n_looked_at,
        n_close=len(pairs),
        rounds=tuple(rounds),
        assay=drawing.verified(partition, used),
        standing=_standing(inputs, chosen, partition, config),
    )


@dataclass(frozen=True)
class _Fresh:
    """Contexts of observations that have class-mates."""

    name: str
    contexts: Contexts
    places: Int64[Tensor, " context"]
    rng: torch.Generator


@dataclass(frozen=True)
class _Drawing:
    inputs: CertifyInputs
    frame_id: Int64[Tensor, " frame"]
    config: ScreenConfig

    def probes(self) -> Contexts:
        """Return contexts of observations that were drawn by their visits."""
        rng = generator(self.config.seed, "screen/probes")
        visits = self.inputs.trajectories.frame_id[self.inputs.steps].long()
        frames = visits[torch.randperm(len(visits), generator=rng)].unique_consecutive()[: 4 * self.config.n_probes]
        drawn = self._contexts(frames.unique(), rng)
        return drawn[torch.randperm(len(drawn), generator=rng)[: self.config.n_probes]]

    def fresh(self, partition: Partition, name: str, *, most: int | None = None) -> _Fresh | None:
        """Return contexts of at most so many observations; None where no class holds two."""
        rng = generator(self.config.seed, f"screen/{name}")
        shared = (partition.sizes[partition.label] > 1).nonzero().squeeze(1)
        places = shared[torch.randperm(len(shared), generator=rng)[:most]].sort().values
        if not len(places):
            return None
        n_contexts = 1 if most is None else self.config.n_fresh
        contexts = self._contexts(self.frame_id[places], rng, n_contexts)
        owner = (self.frame_id[places] == contexts.frame_id[:, None]).int().argmax(1)
        return _Fresh(name, contexts, places[owner], rng)

    def tried(self, partition: Partition, fresh: _Fresh) -> Attempts:
        """Swap class-mates in each context."""
        embedding = embedded(self.inputs.model, self.inputs.items[self.frame_id])
        drafts = [some_of(mates(partition, embedding), self.config.n_mates, fresh.rng)]
        cache = self.inputs.cache.about(fresh.name.replace(" ", "-"))
        swapper = Swapper(self.inputs.model, self.inputs.items, cache=cache)
        return attempt(swapper, fresh.contexts, places=fresh.places, drafts=drafts)[0]

    def verified(self, partition: Partition, used: Sequence[Contexts]) -> Verified | None:
        """Try the classes in contexts that look unlike any that was used."""
        fresh = self.fresh(partition, "verification", most=self.config.n_verified)
        unused = None if fresh is None else unlike(fresh.contexts, used)
        if unused is None:
            return None
        config = VerifyConfig(self.config.epsilon, self.config.seed, n_mates=self.config.n_mates)
        return verify(self.inputs, partition, unused, frame_id=self.frame_id, config=config)

    def _contexts(self, frames: Int64[Tensor, " chosen"], rng: torch.Generator, n_contexts: int = 1) -> Contexts:
        return draw_contexts(
            self.inputs.trajectories,
            self.inputs.steps,
            frame_id=frames,
            n_contexts=n_contexts,
            n_slots=self.inputs.model.cfg.n_slots,
            generator=rng,
        )


def _standing(
    inputs: CertifyInputs, chosen: ChosenFrames, partition: Partition, config: ScreenConfig
) -> ScreenedAgreement | None:
    env_id = inputs.trajectories.env_id
    if env_id not in SUPPORTED_IDS:
        return None
    comparing = ScreenedAgreementConfig(config.n_draws, config.n_quotient_draws, config.target_return)
    rng = numpy_generator(config.seed, "screen/controls")
    return screened_agreement(inputs, state_graph(env_id), chosen, partition, config=comparing, generator=rng)


SCREENING = ArtefactKind(
    "screening",
    Screening,
    places={
        "": "metrics",
        "env_id": "config.env_id",
        "config": "config.screen",
        "chosen": "metrics",
        "partition.name": "config.partition",
    },
    tensors={"chosen": "", "partition": ""},
    beside=lambda found: Beside(
        metrics={"n_frames": len(found.chosen.frame_id), "n_classes": found.partition.n_classes}
    ),
)
