"""Probing of many observations in shared contexts, to find close pairs without comparing every pair.

A probe is a real held-out context in which every frame stands in, whatever stood there. With π_t(a) the action
distribution at decision t of a probe when frame a is in its place, frames a and b are close if

    max over probes and decisions of JS(π_t(a), π_t(b)) <= ε

The cost of all π grows with the number of frames, not with its square. Pairs that are not close are mostly never
looked at: if JS <= ε, the distributions are within v(ε) in total variation, where 1 − h(½ − v/2) = ε with h the entropy
of a coin (Fano's inequality), so only pairs within v(ε) of each other in each of a few probabilities can be close, and
of these only those within v(ε) in total variation at every decision, which takes no logarithm. No close pair is lost by
this, and every pair that is dropped differs by more than ε in a decision of a real window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.spatial import KDTree
from torch import Tensor

from dtinterp.equivalence.classes.linkage import complete_linkage
from dtinterp.equivalence.partition import Partition, partition_of
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.divergence import distributions, js_between
from dtinterp.equivalence.swaps.trials import embedded
from dtinterp.foundation.jobs.job_cache import JobCache
from dtinterp.model.network.continuation import continuation
from dtinterp.model.network.transformer import DecisionTransformer

N_COORDINATES = 10
"""Probabilities by which pairs are found; those that vary most over frames."""
N_DECISIONS = 16
"""Decisions at which those pairs are held against each other first; those at which frames differ most."""
PAIRS_AT_ONCE = 1024
"""Pairs of one frame that are compared at once, so that memory stays flat."""
CHUNK = 256
"""Frames whose neighbours are looked up at once."""
HALVINGS = 50
"""Steps of the bisection that inverts Fano's inequality."""
CLOSE = 1e-6
"""Slack for rounding of probabilities."""


@dataclass(frozen=True)
class ClosePairs:
    """The pairs of frames that no probe told apart, by their places; all others are further apart than epsilon."""

    first: Int64[np.ndarray, " pair"]
    """smaller than `second`; pairs in order"""
    second: Int64[np.ndarray, " pair"]
    maximum: Float64[np.ndarray, " pair"]
    """largest divergence seen, in bits"""
    n_frames: int
    n_looked_at: int
    """pairs whose divergence was computed at all"""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.first)


def responses(
    model: DecisionTransformer,
    probes: Contexts,
    *,
    items: Float32[Tensor, "table item"],
    frame_id: Int64[Tensor, " frame"],
    cache: JobCache,
) -> Float32[Tensor, "frame decision action"]:
    """Return the logits of each frame in the place of each probe, all decisions of all probes one after the other.

    What `cache` has already is not computed again.
    """
    asked = partial(_answers, model, items, embedded(model, items[frame_id]))
    jobs = {f"{index:04d}": probes[index : index + 1] for index in range(len(probes))}
    parts = cache.about("probe").done("probing observations", jobs, asked)
    return torch.cat([part["logits"] for part in parts], dim=1)


def close_pairs(logits: Float32[Tensor, "frame decision action"], epsilon: float) -> ClosePairs:
    """Return the pairs of frames whose distributions are within `epsilon` bits at every decision."""
    exact = distributions(logits)  # frame decision action
    probability = exact.p.float()
    rough = probability[:, probability.var(0).sum(1).argsort(descending=True)]
    found, n_looked_at, radius = [], 0, largest_move(epsilon) + CLOSE
    points = _leading(probability.flatten(1)).double().numpy()
    tree = KDTree(points)
    for start in range(0, len(points), CHUNK):
        for first, second in _neighbours(tree, points, start, radius):
            likely = _within(rough, first, _within(rough[:, :N_DECISIONS], first, second, radius), radius)
            n_looked_at += len(likely)
            for part in torch.from_numpy(likely).split(PAIRS_AT_ONCE):
                apart = js_between(exact[first], exact[part]).max(1).values.numpy()
                near = apart <= epsilon
                found.append((np.full(int(near.sum()), first), part.numpy()[near], apart[near]))
    nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    first, second, maximum = (np.concatenate(column) for column in zip(nothing, *found, strict=True))
    order = np.lexsort((second, first))
    return ClosePairs(first[order], second[order], maximum[order], len(points), n_looked_at)


def largest_move(epsilon: float) -> float:
    """Return how far apart an action's probabilities can be at most where distributions are within `epsilon` bits."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        chances = np.array([0.5 - middle / 2, 0.5 + middle / 2])
        is_within = 1 + float((chances * np.log2(chances)).sum()) <= epsilon
        low, high = (middle, high) if is_within else (low, middle)
    return high


def classes_of_pairs(pairs: ClosePairs, epsilon: float) -> Partition:
    """Return the classes that complete linkage at `epsilon` makes of all frames; other pairs are too far apart."""
    near = pairs.maximum <= epsilon
    label = complete_linkage(pairs.first[near], pairs.second[near], pairs.maximum[near], n_frames=pairs.n_frames)
    return partition_of(torch.from_numpy(label), f"interchangeable, within {epsilon:g} bits")


def raised(
    pairs: ClosePairs, place: Int64[Tensor, " swap"], stand_in: Int64[Tensor, " swap"], peak: Float32[Tensor, " swap"]
) -> ClosePairs:
    """Return the pairs with their largest divergences raised to what swaps of close pairs found."""
    low, high = torch.minimum(place, stand_in).numpy(), torch.maximum(place, stand_in).numpy()
    row = np.searchsorted(pairs.first * pairs.n_frames + pairs.second, low * pairs.n_frames + high)
    maximum = pairs.maximum.copy()
    np.maximum.at(maximum, row, peak.double().numpy())
    return ClosePairs(pairs.first, pairs.second, maximum, pairs.n_frames, pairs.n_looked_at)


def _answers(
    model: DecisionTransformer,
    items: Float32[Tensor, "table item"],
    embedding: Float32[Tensor, "frame d_model"],
    probe: Contexts,
) -> dict[str, Tensor]:
    return {"logits": continuation(model, probe.windows, items, int(probe.slot)).logits(embedding)}


def _leading(probability: Float32[Tensor, "frame number"]) -> Float32[Tensor, "frame coordinate"]:
    """Return the columns that vary most over frames."""
    return probability[:, probability.var(0).argsort(descending=True)[:N_COORDINATES]]


def _within(
    probability: Float32[Tensor, "frame decision action"],
    first: int,
    second: Int64[np.ndarray, " pair"],
    radius: float,
) -> Int64[np.ndarray, " likely"]:
    """Return those of `second` whose distributions are within `radius` of the first's in total variation, everywhere.

    Fano's inequality bounds the total variation itself, which is at least what any one probability moves by.
    """
    kept = []
    for part in torch.from_numpy(second).split(PAIRS_AT_ONCE):
        variation = (probability[part] - probability[first]).abs().sum(-1) / 2  # pair decision
        kept.append(part[variation.amax(1) <= radius].numpy())
    return np.concatenate(kept) if kept else second


def _neighbours(
    tree: KDTree, points: Float64[np.ndarray, "frame coordinate"], start: int, radius: float
) -> Iterator[tuple[int, Int64[np.ndarray, " pair"]]]:
    """Yield each frame of a chunk with the later frames that lie within the radius in every coordinate."""
    for row, near in enumerate(tree.query_ball_point(points[start : start + CHUNK], radius, p=np.inf), start=start):
        second = np.array(near, dtype=np.int64)
        second = second[second > row]
        if len(second):
            yield row, second
