"""Ridge regression of beliefs on rows, both centred at the newest frame, in folds of frames.

Which values a belief holds likely is told in part by the newest frame, and what is seen is no memory. So from rows and
beliefs alike the mean over all windows with the same newest frame is taken off: what is left open by the frame is to be
told by what is left of the row (Frisch and Waugh 1933, Econometrica 1:387). Folds are of frames, with all beliefs at
them, so that no belief that is predicted was fitted. Were only one of a frame's two beliefs held out, the other one
would be taught for it.

With X the standardised rows of the fit and Y their beliefs, W = (XᵀX + λI)⁻¹ XᵀY (Hoerl and Kennard 1970, Technometrics
12:55, eq. 2.1), where λ is the one of `PENALTIES` that predicts each fold of the fit best from the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from sklearn.model_selection import GroupKFold
from torch import Tensor

from dtinterp.foundation.bootstrap import resample
from dtinterp.foundation.errors import UserError
from environments.graph.state_graph import StateGraph
from environments.graph.window_posteriors import PlayedWindows, same_posterior, window_posteriors

PENALTIES = tuple(10.0**power for power in range(-2, 6))
"""λ, where each standardised column has squares that sum to the number of windows."""
SMALLEST = 1e-9
"""Variance of a column, or of a belief, below which it is none."""


@dataclass(frozen=True)
class BeliefTargets:
    """What is believed after each window of the values of some facts, and what the newest frame leaves open of it."""

    chance: Float64[np.ndarray, "window value"]
    """of every value of every fact, side by side"""
    fact: Int64[np.ndarray, " value"]
    """the fact that each column is of"""
    belief: Int64[np.ndarray, " window"]
    """the number of the belief, of which windows may share one"""
    frame: Int64[np.ndarray, " window"]
    """the newest frame"""
    time: Int64[np.ndarray, " window"]
    """actions since the start"""

    @property
    def n_beliefs(self) -> int:
        """Different beliefs."""
        return int(self.belief.max()) + 1

    @property
    def left_open(self) -> Float64[np.ndarray, "window value"]:
        """The chances less their mean at the newest frame."""
        return centred(self.chance, self.frame)

    @property
    def open_share(self) -> Float64[np.ndarray, " fact"]:
        """Share of each fact's variance that the newest frame leaves open."""
        whole = self.by_fact((self.chance - self.chance.mean(0)) ** 2).sum(0)
        return self.by_fact(self.left_open**2).sum(0) / np.maximum(whole, SMALLEST)

    def dealt_out(self, generator: np.random.Generator) -> Float64[np.ndarray, "window value"]:
        """Return what is left open of beliefs that were exchanged: windows that shared one share the same other one."""
        one = np.unique(self.belief, return_index=True)[1]
        return centred(self.chance[one][generator.permutation(self.n_beliefs)[self.belief]], self.frame)

    def by_fact(self, squares: Float64[np.ndarray, "window value"]) -> Float64[np.ndarray, "window fact"]:
        """Return squares summed over the values of each fact."""
        return np.stack([squares[:, self.fact == fact].sum(1) for fact in range(int(self.fact.max()) + 1)], axis=1)


@dataclass(frozen=True)
class BeliefScores:
    """How much of what the newest frame leaves open of each fact is read off each site, at frames that no fit saw."""

    r2: Float32[Tensor, "site fact"]
    """1 − Σ|y − ŷ|² / Σ|y|², y what is left open; 0 where nothing is"""
    low: Float32[Tensor, "site fact"]
    """lower end of its 95% interval, bootstrapped over frames"""
    high: Float32[Tensor, "site fact"]
    by_time: Float32[Tensor, "site fact time"]
    """the same of the windows that end so many actions after the start"""


def belief_targets(graph: StateGraph, played: PlayedWindows, facts: Sequence[str]) -> BeliefTargets:
    """Return the beliefs after some windows. Raises `UserError` for a fact that the world does not have."""
    unknown = [name for name in facts if name not in graph.fact_names]
    if unknown:
        raise UserError(f"the fact is {unknown[0]!r}, expected one of {', '.join(graph.fact_names)}.")
    posterior = window_posteriors(graph, played)
    columns = [graph.facts[:, graph.fact_names.index(name)] for name in facts]
    values = [column[:, None] == np.unique(column[posterior.state]) for column in columns]  # state value
    return BeliefTargets(
        chance=posterior.mean(np.concatenate(values, axis=1).astype(float)),
        fact=np.repeat(np.arange(len(facts)), [each.shape[1] for each in values]),
        belief=same_posterior(posterior).astype(np.int64),
        frame=played.windows.frame_id[:, -1].astype(np.int64),
        time=played.time,
    )


def centred(
    values: Float64[np.ndarray, "window column"], group: Int64[np.ndarray, " window"]
) -> Float64[np.ndarray, "window column"]:
    """Return values less their mean over the windows of the same group."""
    member, size = np.unique(group, return_inverse=True, return_counts=True)[1:]
    total = np.zeros((len(size), values.shape[1]))
    np.add.at(total, member, values)
    return values - (total / size[:, None])[member]


def predicted(
    rows: Float32[Tensor, "window d_model"],
    targets: Mapping[str, Float64[np.ndarray, "window value"]],
    frame: Int64[np.ndarray, " window"],
    *,
    n_folds: int,
) -> Mapping[str, Float64[np.ndarray, "window value"]]:
    """Return what regression on the rows says of each window's targets, fitted to the folds that its frame is not in.

    Every set of targets has a penalty of its own. Raises `UserError` where there are fewer frames than folds.
    """
    n_frames = len(np.unique(frame))
    if n_frames < n_folds:
        raise UserError(f"there are {n_frames} different frames for {n_folds} folds: give more or longer plays.")
    x = centred(rows.double().numpy(), frame)
    scale = x.std(0)
    x = np.where(scale > SMALLEST, x / np.where(scale > SMALLEST, scale, 1), 0.0)
    folds = [held_out for _, held_out in GroupKFold(n_folds).split(x, groups=frame)]
    return {name: _predicted(x, y, folds) for name, y in targets.items()}


def _predicted(
    x: Float64[np.ndarray, "window d_model"],
    y: Float64[np.ndarray, "window value"],
    folds: Sequence[Int64[np.ndarray, " _"]],
) -> Float64[np.ndarray, "window value"]:
    squares, products = (np.stack([x[fold].T @ each[fold] for fold in folds]) for each in (x, y))
    found = np.empty_like(y)
    for place, fold in enumerate(folds):
        others = [n for n in range(len(folds)) if n != place]
        error = np.zeros(len(PENALTIES))
        for inner in others if len(others) > 1 else ():
            rest = [n for n in others if n != inner]
            weights = _weights(squares[rest].sum(0), products[rest].sum(0))
            error += [((y[folds[inner]] - x[folds[inner]] @ W) ** 2).sum() for W in weights]
        found[fold] = x[fold] @ _weights(squares[others].sum(0), products[others].sum(0))[int(error.argmin())]
    return found


def _weights(
    squares: Float64[np.ndarray, "d_model d_model"], products: Float64[np.ndarray, "d_model value"]
) -> list[Float64[np.ndarray, "d_model value"]]:
    """Return (XᵀX + λI)⁻¹ XᵀY for every penalty, from one decomposition."""
    values, vectors = np.linalg.eigh(squares)
    turned = vectors.T @ products
    return [vectors @ (turned / (np.maximum(values, 0) + penalty)[:, None]) for penalty in PENALTIES]


def scored(
    targets: BeliefTargets,
    truth: Float64[np.ndarray, "window value"],
    predictions: Sequence[Float64[np.ndarray, "window value"]],
    generator: np.random.Generator,
) -> BeliefScores:
    """Return the scores of each site's predictions of what is left open, or of what was dealt out."""
    spread = targets.by_fact(truth**2)
    errors = [targets.by_fact((truth - each) ** 2) for each in predictions]
    cells = [
        [_interval(error[:, n], spread[:, n], targets.frame, generator) for n in range(spread.shape[1])]
        for error in errors
    ]
    at = [targets.time == time for time in range(int(targets.time.max()) + 1)]
    by_time = [np.stack([_share_read(error[each], spread[each]) for each in at], axis=1) for error in errors]
    r2, low, high = torch.tensor(cells, dtype=torch.float32).unbind(-1)
    return BeliefScores(r2, low, high, torch.tensor(np.stack(by_time)).float())


def _interval(
    error: Float64[np.ndarray, " window"],
    spread: Float64[np.ndarray, " window"],
    frame: Int64[np.ndarray, " window"],
    generator: np.random.Generator,
) -> tuple[float, float, float]:
    if spread.sum() < SMALLEST:
        return 0.0, 0.0, 0.0
    totals = resample({"error": error, "spread": spread}, frame, generator)
    found = totals.interval(lambda total: 1 - total["error"] / total["spread"])
    return found.estimate, found.low, found.high


def _share_read(
    error: Float64[np.ndarray, "window fact"], spread: Float64[np.ndarray, "window fact"]
) -> Float64[np.ndarray, " fact"]:
    total = spread.sum(0)
    is_open = total > SMALLEST
    return np.where(is_open, 1 - error.sum(0) / np.where(is_open, total, 1), 0.0)
