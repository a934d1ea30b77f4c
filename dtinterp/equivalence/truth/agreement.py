"""Agreement of two partitions: adjusted Rand index and mutual information, beside random classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from dtinterp.equivalence.partition import Partition, classes, classes_of_count
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, central, holm


@dataclass(frozen=True)
class Agreement:
    """How far a partition agrees with a reference over the same frames."""

    n_classes: int
    """of the partition"""
    n_reference_classes: int
    ari: Interval
    """adjusted Rand index (Hubert and Arabie 1985, Journal of Classification 2:193): 1 if equal, 0 on average by chance

    Its interval holds the central 95% over random halves of the frames, drawn without replacement, whose spread is that
    of the whole (the delete-half jackknife, Shao and Wu 1989, Annals of Statistics 17:1176); n counts the frames. It
    speaks of which frames were chosen, not of which contexts."""
    ami: float
    """adjusted mutual information (Vinh, Epps and Bailey 2010, JMLR 11:2837), with the same ends"""
    random: Interval
    """ARI of random classes of the partition's sizes: its mean, the central 95% of the draws, and their number"""
    p_value: float
    """share of the random classes that agree at least as well, the partition counted among them"""


@dataclass(frozen=True)
class WorldComparison:
    """The model's classes against one partition of the world, with a model that learned nothing as control."""

    world: str
    """name of the world's partition"""
    trained: Agreement
    untrained: Agreement
    """an untrained model's classes, as many as the trained model's"""
    untrained_at_epsilon: Agreement
    """an untrained model's classes at the same epsilon: often a single one, since little moves it"""
    p_holm: float = 1.0
    """the trained model's p_value, Holm-adjusted over the partitions of the world"""

    @property
    def beats_random(self) -> bool:
        """Whether the trained model's interval lies above the central 95% of random classes of the same sizes."""
        return self.trained.ari.low > self.trained.random.high

    @property
    def beats_untrained(self) -> bool:
        """Whether the trained model's interval lies above both untrained models' intervals."""
        return self.trained.ari.low > max(self.untrained.ari.high, self.untrained_at_epsilon.ari.high)

    @property
    def holds(self) -> bool:
        """Whether the model's classes may be said to follow this partition."""
        return self.beats_random and self.beats_untrained


def against_worlds(
    worlds: Sequence[Partition],
    partition: Partition,
    control: Relation,
    *,
    epsilon: float,
    n_draws: int,
    generator: np.random.Generator,
) -> tuple[WorldComparison, ...]:
    """Return a model's classes at `epsilon`, and those of `control`, an untrained one, against each of the worlds."""

    def agreement(ours: Partition, world: Partition) -> Agreement:
        return compare(ours, world, n_draws=n_draws, generator=generator)

    found = [
        WorldComparison(
            world=world.name,
            trained=agreement(partition, world),
            untrained=agreement(classes_of_count(control, partition.n_classes), world),
            untrained_at_epsilon=agreement(classes(control, epsilon), world),
        )
        for world in worlds
    ]
    return adjusted(found)


def adjusted(comparisons: Sequence[WorldComparison]) -> tuple[WorldComparison, ...]:
    """Return the comparisons of one model with their p-values adjusted for how many partitions were looked at."""
    together = holm(np.array([each.trained.p_value for each in comparisons]))
    return tuple(replace(each, p_holm=float(p)) for each, p in zip(comparisons, together, strict=True))


def compare(partition: Partition, reference: Partition, *, n_draws: int, generator: np.random.Generator) -> Agreement:
    """Return how far `partition` agrees with `reference`, against `n_draws` random classes of equal sizes.

    Raises `UserError` where the two are not about equally many frames.
    """
    if len(partition.label) != len(reference.label):
        raise UserError(
            f"{partition.name!r} has {len(partition.label)} frames and {reference.name!r} has {len(reference.label)}: "
            "compare partitions of the same frames."
        )
    ours, theirs = partition.label.numpy(), reference.label.numpy()
    ari = float(adjusted_rand_score(theirs, ours))
    shuffled = rand_indices(np.stack([generator.permutation(ours) for _ in range(n_draws)]), theirs[None])
    return Agreement(
        n_classes=partition.n_classes,
        n_reference_classes=reference.n_classes,
        ari=central(_on_halves(ours, theirs, n_draws, generator), estimate=ari, n=len(ours)),
        ami=float(adjusted_mutual_info_score(theirs, ours)),
        random=central(shuffled),
        p_value=(1 + int((shuffled >= ari).sum())) / (1 + n_draws),
    )


def rand_indices(
    ours: Int64[np.ndarray, "draw frame"], theirs: Int64[np.ndarray, "other frame"]
) -> Float64[np.ndarray, " draw"]:
    """Return the adjusted Rand index of each row of one with that of the other, or with its only one."""
    theirs = np.broadcast_to(theirs, ours.shape)
    both, alone, apart = (_n_pairs(label) for label in (ours * (int(theirs.max()) + 1) + theirs, ours, theirs))
    n_frames = ours.shape[1]
    expected = alone * apart / max(n_frames * (n_frames - 1) / 2, 1)
    possible = (alone + apart) / 2 - expected
    return np.where(possible > 0, (both - expected) / np.where(possible > 0, possible, 1), 1.0)


def _n_pairs(label: Int64[np.ndarray, "draw frame"]) -> Float64[np.ndarray, " draw"]:
    """Return how many pairs of frames have one label: each frame makes one with all before it in its run."""
    ordered, place = np.sort(label, axis=1), np.arange(label.shape[1])
    begins = np.diff(ordered, axis=1, prepend=ordered[:, :1] - 1) != 0
    run = np.maximum.accumulate(np.where(begins, place, 0), axis=1)  # draw frame: where each one's run begins
    return (place - run).sum(axis=1).astype(np.float64)


def _on_halves(
    ours: Int64[np.ndarray, " frame"],
    theirs: Int64[np.ndarray, " frame"],
    n_draws: int,
    generator: np.random.Generator,
) -> Float64[np.ndarray, " draw"]:
    half = (len(ours) + 1) // 2
    halves = np.stack([generator.permutation(len(ours))[:half] for _ in range(n_draws)])
    return rand_indices(ours[halves], theirs[halves])
