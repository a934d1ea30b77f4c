"""A lower bound on the states of any machine for a policy: plays that some common continuation tells apart, pairwise.

Two plays that go on alike, as far as both are known, may share a state; two after which the same inputs lead to
different labels may not. So plays that are told apart pairwise need a state each.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from dtinterp.equivalence.machines.machine import SeenPlays
from environments.graph.plays import ROOT

MOST_COMPARED = 15_000
"""Different futures that are compared, each with each other; their table has a byte for each pair."""

N_TRIES = 40
"""Sets that are grown greedily, each in another order; the largest counts."""


def plays_apart(
    seen: SeenPlays,
    label: Int64[np.ndarray, " seen"],
    *,
    generator: np.random.Generator,
    n_tries: int = N_TRIES,
) -> Int64[np.ndarray, " play"]:
    """Return as many plays as are found that any two of are told apart.

    Where plays have more than `MOST_COMPARED` different futures, those of the longest horizon that has fewer are
    compared, which bounds the machine of all plays, too.
    """
    futures = _futures(seen, label)
    while len(futures.label) > MOST_COMPARED:
        seen = seen.until(seen.horizon - 1)
        futures = _futures(seen, label[: len(seen)])
    apart = _told_apart(futures)
    _, chosen = np.unique(np.packbits(apart, axis=1), axis=0, return_index=True)  # futures alike in this are as good
    table = apart[np.ix_(chosen, chosen)]
    found = max((_grown(table, generator, noise=0.1 * (turn > 0)) for turn in range(n_tries)), key=len)
    return futures.play[chosen[found]]


def told_apart(seen: SeenPlays, label: Int64[np.ndarray, " seen"]) -> Bool[np.ndarray, "seen seen"]:
    """Return which plays are told apart: by their own labels, or by those after the same further inputs."""
    futures = _futures(seen, label)
    return _told_apart(futures)[np.ix_(futures.of_play, futures.of_play)]


@dataclass(frozen=True, eq=False)
class _Futures:
    """What can follow plays, with its labels, each future once: plays with one future are never told apart."""

    of_play: Int64[np.ndarray, " seen"]
    play: Int64[np.ndarray, " future"]
    """a play that has it, the shortest"""
    label: Int64[np.ndarray, " future"]
    """of the play itself"""
    height: Int64[np.ndarray, " future"]
    """the most actions that it holds"""
    before: Int64[np.ndarray, " step"]
    after: Int64[np.ndarray, " step"]
    """the future that is left after one more input"""
    symbol: Int64[np.ndarray, " step"]
    """that input"""


def _futures(seen: SeenPlays, label: Int64[np.ndarray, " seen"]) -> _Futures:
    symbols = (seen.action * (int(seen.frame_id.max()) + 1) + seen.frame_id).tolist()
    parents, labels = seen.parent.tolist(), label.tolist()
    follows: list[list[tuple[int, int]]] = [[] for _ in parents]
    number: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    of_play, play, height = np.empty(len(seen), dtype=np.int64), [], []
    for index in reversed(range(len(seen))):
        key = (labels[index], tuple(sorted(follows[index])))
        future = number.setdefault(key, len(number))
        if future == len(play):
            play.append(index)
            height.append(max((height[after] + 1 for _, after in key[1]), default=0))
        play[future], of_play[index] = index, future
        if parents[index] != ROOT:
            follows[parents[index]].append((symbols[index], future))
    steps = [(future, after, symbol) for (_, rest), future in number.items() for symbol, after in rest]
    columns = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    own = np.array([first for first, _ in number], dtype=np.int64)
    return _Futures(of_play, np.array(play), own, np.array(height), *columns)


def _told_apart(futures: _Futures) -> Bool[np.ndarray, "future future"]:
    apart = futures.label[:, None] != futures.label[None, :]
    order = np.argsort(futures.symbol, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(futures.symbol[order])) + 1) if len(order) else []
    for height in range(1, int(futures.height.max()) + 1):  # a row is complete before what comes before it needs it
        for group in groups:
            before, after = futures.before[group], futures.after[group]
            here = futures.height[before] == height
            if here.any():
                apart[np.ix_(before[here], before)] |= apart[np.ix_(after[here], after)]
        rows = np.flatnonzero(futures.height == height)
        apart[:, rows] |= apart[rows].T
    return apart


def _grown(
    apart: Bool[np.ndarray, "play play"], generator: np.random.Generator, *, noise: float
) -> Int64[np.ndarray, " chosen"]:
    """Return a set that is apart pairwise, grown by the play that leaves most others to choose from."""
    worth = 1 + noise * generator.random(len(apart))
    left, chosen = np.arange(len(apart)), []
    while len(left):
        inside = apart[np.ix_(left, left)]
        best = int((inside.sum(1) * worth[left]).argmax())
        chosen.append(left[best])
        left = left[inside[best]]
    return np.array(chosen, dtype=np.int64)
