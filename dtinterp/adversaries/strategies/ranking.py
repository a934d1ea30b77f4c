"""Sets of edits in ascending order of a sum over their edits, the lowest first."""

from collections.abc import Iterator
from heapq import heappop, heappush, merge
from itertools import islice

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Ranked = tuple[float, tuple[int, ...]]
"""A sum, and the edits that it is over."""


def ascending(gains: Float[Tensor, " edit"], most: int) -> Iterator[Ranked]:
    """Yield every set of one up to `most` edits in ascending order of the sum of its gains; few are held at once."""
    order = gains.argsort(stable=True)
    ordered = gains[order].tolist()
    for total, places in merge(*(_of_size(ordered, size) for size in range(1, most + 1))):
        yield total, tuple(sorted(int(order[place]) for place in places))


def batched(ranked: Iterator[Ranked], n: int, size: int) -> Iterator[tuple[list[float], Int64[Tensor, "set size"]]]:
    """Yield the next `n` sums and their sets, as rows of numbers with -1 where a set has fewer than `size`."""
    while part := list(islice(ranked, n)):
        rows = [[*edits, *[-1] * (size - len(edits))] for _, edits in part]
        yield [total for total, _ in part], torch.tensor(rows)


def _of_size(gains: list[float], size: int) -> Iterator[Ranked]:
    """Yield sets of places in a sorted list in ascending order of their sums: any set follows one it is a step from."""
    if size > len(gains):
        return
    first = tuple(range(size))
    waiting, met = [(sum(gains[:size]), first)], {first}
    while waiting:
        total, places = heappop(waiting)
        yield total, places
        for index, place in enumerate(places):
            after = place + 1
            limit = places[index + 1] if index + 1 < size else len(gains)
            following = (*places[:index], after, *places[index + 1 :])
            if after < limit and following not in met:
                met.add(following)
                heappush(waiting, (total - gains[place] + gains[after], following))
