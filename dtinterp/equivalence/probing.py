"""Shared contexts and many frames become the pairs that none of them tells apart, without looking at every pair.

A probe is a real held-out context in which every frame stands in, whatever stood there. With π_t(a) the action
distribution at decision t of a probe when frame a is in its place, frames a and b are close if

    max over probes and decisions of JS(π_t(a), π_t(b)) <= ε

The cost of all π grows with the number of frames, not with its square. Pairs that are not close are mostly never
looked at: if JS <= ε, no action's probability differs by more than v(ε), where 1 − h(½ − v/2) = ε with h the entropy of
a coin (Fano's inequality), so only pairs within v(ε) of each other in each of a few probabilities can be close. No
close pair is lost by this, and every pair that is dropped differs by more than ε in a decision of a real window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from dtinterp.equivalence.classes import Partition, classes, partition_of
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.divergence import js_divergence
from dtinterp.equivalence.ledger import Ledger
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.trials import embedded
from dtinterp.model.continuation import continuation
from dtinterp.model.transformer import DecisionTransformer

N_COORDINATES = 10
"""Probabilities by which pairs are found; those that vary most over frames."""
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
    ledger: Ledger,
) -> Float32[Tensor, "frame decision action"]:
    """Return the logits of each frame in the place of each probe, all decisions of all probes one after the other.

    What `ledger` has already is not computed again.
    """
    asked = partial(_answers, model, items, embedded(model, items[frame_id]))
    jobs = {f"{index:04d}": probes[index : index + 1] for index in range(len(probes))}
    parts = ledger.about("probe").done("probing observations", jobs, asked)
    return torch.cat([part["logits"] for part in parts], dim=1)


def close_pairs(logits: Float32[Tensor, "frame decision action"], epsilon: float) -> ClosePairs:
    """Return the pairs of frames whose distributions are within `epsilon` bits at every decision."""
    probability = logits.softmax(-1).flatten(1)  # frame decision·action
    leading = probability.var(0).argsort(descending=True)[:N_COORDINATES]
    points = probability[:, leading].double().numpy()
    tree = KDTree(points)
    found, n_looked_at, radius = [], 0, largest_move(epsilon) + CLOSE
    for start in range(0, len(points), CHUNK):
        for first, second in _neighbours(tree, points, start, radius):
            n_looked_at += len(second)
            second = second[((probability[second] - probability[first]).abs().amax(1) <= radius).numpy()]
            apart = js_divergence(logits[first].expand_as(logits[second]), logits[second]).max(1).values.numpy()
            near = apart <= epsilon
            found.append((np.full(int(near.sum()), first), second[near], apart[near]))
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
    """Return the classes that complete linkage at `epsilon` makes of all frames, whose other pairs are too far apart.

    Classes never reach across the parts into which the close pairs fall, so each part is clustered by itself, and the
    result is that of all frames at once.
    """
    near = pairs.maximum <= epsilon
    first, second = pairs.first[near], pairs.second[near]
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(pairs.n_frames, pairs.n_frames))
    part = connected_components(graph, directed=False)[1]
    label, n_labels = torch.empty(pairs.n_frames, dtype=torch.int64), 0
    order = np.argsort(part[first], kind="stable")
    bounds = np.searchsorted(part[first][order], np.arange(part.max() + 2))
    members = np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1])
    for number, frames in enumerate(members):
        inside = order[bounds[number] : bounds[number + 1]]
        found = _linked(np.sort(frames), first[inside], second[inside], pairs.maximum[near][inside], epsilon)
        label[torch.from_numpy(np.sort(frames))] = n_labels + found.label
        n_labels += found.n_classes
    return partition_of(label, f"interchangeable, within {epsilon:g} bits")


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


def _neighbours(
    tree: KDTree, points: Float64[np.ndarray, "frame coordinate"], start: int, radius: float
) -> Iterator[tuple[int, Int64[np.ndarray, " pair"]]]:
    """Yield each frame of a chunk with the later frames that lie within the radius in every coordinate."""
    for row, near in enumerate(tree.query_ball_point(points[start : start + CHUNK], radius, p=np.inf), start=start):
        second = np.array(near, dtype=np.int64)
        second = second[second > row]
        if len(second):
            yield row, second


def _linked(
    frames: Int64[np.ndarray, " member"],
    first: Int64[np.ndarray, " pair"],
    second: Int64[np.ndarray, " pair"],
    maximum: Float64[np.ndarray, " pair"],
    epsilon: float,
) -> Partition:
    apart = torch.ones(len(frames), len(frames)).fill_diagonal_(0)
    one, other = (torch.from_numpy(np.searchsorted(frames, side)) for side in (first, second))
    apart[one, other] = apart[other, one] = torch.from_numpy(maximum).float()
    counts = torch.ones(len(frames), len(frames), dtype=torch.int64)
    return classes(Relation(apart, apart, counts, torch.from_numpy(frames).long(), "close"), epsilon)
