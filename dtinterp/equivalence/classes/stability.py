"""Stability of classes: how far they depend on which contexts were drawn."""

import numpy as np
import torch
from jaxtyping import Bool
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.swaps.interchange import summed
from dtinterp.equivalence.swaps.trials import Trials
from dtinterp.foundation.statistics import Interval, central


def stability(trials: Trials, *, epsilon: float, n_draws: int, generator: np.random.Generator) -> Interval | None:
    """Return the adjusted Rand index of classes from one random half of each frame's contexts with those of the other.

    The interval holds the central 95% of the draws, n counts them. None where some frame has a single context.
    """
    counts = torch.bincount(trials.contexts.frame_id)
    if int(counts[trials.frame_id].min()) < 2:
        return None
    found = []
    for _ in range(n_draws):
        half = _half(trials, generator)
        ours, theirs = (classes(summed(_chosen(trials, side)).relation("half"), epsilon) for side in (half, ~half))
        found.append(float(adjusted_rand_score(ours.label.numpy(), theirs.label.numpy())))
    return central(found)


def _half(trials: Trials, generator: np.random.Generator) -> Bool[Tensor, " context"]:
    """Return a random half of each frame's contexts; of an odd number the smaller half."""
    half = torch.zeros(len(trials.contexts), dtype=torch.bool)
    for frame in trials.frame_id.tolist():
        own = (trials.contexts.frame_id == frame).nonzero().squeeze(1).numpy()
        half[torch.from_numpy(generator.permutation(own)[: len(own) // 2])] = True
    return half


def _chosen(trials: Trials, side: Bool[Tensor, " context"]) -> Trials:
    return Trials(
        contexts=trials.contexts[side],
        frame_id=trials.frame_id,
        peak=trials.peak[side],
        mean=trials.mean[side],
        at_once=trials.at_once[side],
        is_flipped=trials.is_flipped[side],
        decision=trials.decision[side],
    )
