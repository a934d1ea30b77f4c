"""Classes over training: when observations merge to the model, and when they split.

All models are held to the same observations in the same held-out contexts, so that what differs between two of them is
what training did. Each model's classes are formed at one epsilon as `certify` forms its own, and are not refined:
counterexamples would be other ones at every moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.behaviour.quotient import Judge, judge_of
from dtinterp.equivalence.classes.stability import stability
from dtinterp.equivalence.partition import Partition, check_epsilon, classes, classes_of_count, representatives
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames, most_visited
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.trials import Trials, try_swaps
from dtinterp.equivalence.truth.world_partitions import world_partitions
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.validation import Validation, validate
from environments.graph.evaluation import Expectation
from environments.graph.state_graph import state_graph

NEVER = -1


@dataclass(frozen=True)
class HistoryConfig:
    """How classes are followed; the work grows with the number of models × n_frames² × n_contexts."""

    n_frames: int = 96
    """observations compared, each with each other: the most visited on the held-out side"""
    n_contexts: int = 8
    """held-out contexts per observation, the same for all models"""
    epsilon: float = 0.05
    """bits of Jensen-Shannon divergence that two observations of one class may be apart, in any context tried"""
    target_return: float = 0.892
    """return asked of each model when it acts"""
    n_halves: int = 20
    """times that contexts are halved, to see how far classes depend on which were drawn"""
    seed: int = 0
    """seed of contexts and halves"""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        check_epsilon(self.epsilon)
        require_at_least(self, 2, "n_frames")
        require_at_least(self, 1, "n_contexts", "n_halves")
        require_sensible(self)


@dataclass(frozen=True)
class HistoryInputs:
    """What all models of a training are held to."""

    trajectories: Trajectories
    steps: Int64[Tensor, " held_out"]
    items: Float32[Tensor, "table item"]
    windows: Windows
    """held-out windows, for the loss"""


@dataclass(frozen=True)
class HistoryPoint:
    """Which observations are interchangeable to a model after so many steps of training."""

    step: int
    """0: before the first"""
    validation: Validation
    intact: Expectation
    """its return: exact, greedy, over all starts"""
    on_classes: Expectation
    """its return when it is shown one representative for each of its classes"""
    n_classes: int
    n_together: int
    """pairs of observations in one class"""
    n_merged: int
    """of these the pairs that were apart at the moment before"""
    n_split: int
    """pairs that were together at the moment before, and are apart"""
    halves: Interval | None
    """adjusted Rand index of its classes from halves of the contexts; None where some frame has a single context"""
    like_last: float
    """adjusted Rand index of its classes with those of the last model"""
    like_world: Mapping[str, float]
    """the same with each partition of the world, its dendrogram cut into as many classes as the last model has"""


@dataclass(frozen=True)
class History:
    """Which observations the models of a training treat as interchangeable."""

    env_id: str
    config: HistoryConfig
    chosen: ChosenFrames
    moments: tuple[HistoryPoint, ...]
    """in order of steps"""
    label: Int64[Tensor, "moment frame"]
    """classes at each moment, numbered as a `Partition`'s"""

    def __post_init__(self) -> None:
        """Refuse classes of other moments or observations."""
        require_equally_many(moments=len(self.moments), **{"rows of labels": self.label.shape[0]})
        require_equally_many(frames=len(self.chosen.frame_id), labels=self.label.shape[1])

    def together_since(self) -> Int64[Tensor, "frame frame"]:
        """Return the step from which two observations stay in one class to the end; `NEVER` where they end apart."""
        step = torch.tensor([moment.step for moment in self.moments])
        apart = self.label[:, :, None] != self.label[:, None, :]  # moment frame frame
        moments = torch.arange(1, len(step) + 1)[:, None, None]
        first = (apart * moments).amax(0)  # the moment after the last one apart
        return torch.where(first < len(step), step[first.clamp(max=len(step) - 1)], NEVER)


def follow(
    models: Mapping[int, DecisionTransformer],
    ground: HistoryInputs,
    config: HistoryConfig,
    *,
    cache: JobCache = NO_CACHE,
) -> History:
    """Form the classes of each model, by its number of steps, and hold them against each other and the world.

    Swaps that the cache has are not made again. Raises `UserError` for fewer than two models, or where nothing was
    held out.
    """
    if len(models) < 2:
        raise UserError(f"{len(models)} model was given, expected two or more of one training: keep some on the way.")
    order = sorted(models)
    chosen = most_visited(ground.trajectories, ground.steps, config.n_frames)
    contexts = _contexts(ground, chosen, config, n_slots=models[order[0]].cfg.n_slots)
    trials = [
        try_swaps(
            models[step], contexts, items=ground.items, frame_id=chosen.frame_id, cache=cache.about(f"step-{step}")
        )
        for step in order
    ]
    relations = [summed(each).relation("interchangeable") for each in trials]
    partitions = [classes(relation, config.epsilon) for relation in relations]
    graph, frames = state_graph(ground.trajectories.env_id), ground.trajectories.frames[chosen.frame_id]
    follower = _Follower(ground, config, world_partitions(graph, frames), partitions)
    judges = [judge_of(models[step], graph, frames, target_return=config.target_return) for step in order]
    moments = tuple(
        follower.moment(place, step, models[step], judge=judges[place], trials=trials[place], relation=relations[place])
        for place, step in enumerate(order)
    )
    label = torch.stack([each.label for each in partitions])
    return History(ground.trajectories.env_id, config, chosen, moments, label)


@dataclass(frozen=True)
class _Follower:
    """What each moment is measured against."""

    ground: HistoryInputs
    config: HistoryConfig
    worlds: Sequence[Partition]
    partitions: Sequence[Partition]
    """of all moments"""

    def moment(
        self, place: int, step: int, model: DecisionTransformer, *, judge: Judge, trials: Trials, relation: Relation
    ) -> HistoryPoint:
        ours, last = self.partitions[place], self.partitions[-1]
        before = _together(self.partitions[place - 1]) if place else _together(ours)
        now = _together(ours)
        as_many = classes_of_count(relation, last.n_classes)
        rng = numpy_generator(self.config.seed, "equivalence/halves")
        intact, on_classes = judge([torch.arange(relation.n_frames), representatives(ours, relation)])
        return HistoryPoint(
            step=step,
            validation=validate(model, self.ground.windows, self.ground.items),
            intact=intact,
            on_classes=on_classes,
            n_classes=ours.n_classes,
            n_together=int(now.sum()),
            n_merged=int((now & ~before).sum()),
            n_split=int((before & ~now).sum()),
            halves=stability(trials, epsilon=self.config.epsilon, n_draws=self.config.n_halves, generator=rng),
            like_last=_rand(ours, last),
            like_world={world.name: _rand(as_many, world) for world in self.worlds},
        )


def _contexts(ground: HistoryInputs, chosen: ChosenFrames, config: HistoryConfig, *, n_slots: int) -> Contexts:
    return draw_contexts(
        ground.trajectories,
        ground.steps,
        frame_id=chosen.frame_id,
        n_contexts=config.n_contexts,
        n_slots=n_slots,
        generator=generator(config.seed, "equivalence/contexts"),
    )


def _together(partition: Partition) -> Tensor:
    """Return which pairs are in one class, each pair once."""
    return (partition.label[:, None] == partition.label[None, :]).triu(1)


def _rand(ours: Partition, theirs: Partition) -> float:
    return float(adjusted_rand_score(theirs.label.numpy(), ours.label.numpy()))


HISTORY = ArtefactKind(
    "class history",
    History,
    places={"config": "config.history", "chosen": "metrics", "moments": "metrics.moments"},
    tensors={"chosen": ""},
    beside=lambda history: Beside(tensors={"together_since": history.together_since()}),
)
