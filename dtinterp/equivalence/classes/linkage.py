"""Complete linkage of close pairs, in memory that grows with the pairs and not with the square.

Two classes may be joined only if all pairs across are close, and are as far apart as the farthest of these. So a class
keeps, for each other one, the largest distance and the number of close pairs across: where the number falls short of
the product of the sizes, the two can never be joined, whatever they grow to, and are forgotten.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True)
class _Across:
    """What lies between one class and others."""

    other: Int64[np.ndarray, " other"]
    distance: Float64[np.ndarray, " other"]
    """the largest over close pairs"""
    n_pairs: Int64[np.ndarray, " other"]


def complete_linkage(
    first: Int64[np.ndarray, " pair"],
    second: Int64[np.ndarray, " pair"],
    distance: Float64[np.ndarray, " pair"],
    *,
    n_frames: int,
) -> Int64[np.ndarray, " frame"]:
    """Return a label for each frame, equal where complete linkage joins all that can be joined, the closest first.

    Pairs that are not given are too far apart. Follows chains of nearest neighbours, which joins the same classes as
    looking for the closest two each time (Murtagh 1983, The Computer Journal 26:354); of equally near ones the earlier
    in the chain is taken, then the one with the lowest number, as scipy does.
    """
    classes = _Classes(first, second, distance, n_frames)
    for start in range(n_frames):
        chain = [start]
        while classes.label[start] == start and (nearest := classes.nearest(chain)) is not None:
            if nearest in chain[-2:-1]:
                classes.join(chain.pop(), chain.pop())
                chain = chain or [start]
            else:
                chain.append(nearest)
    return classes.label


class _Classes:
    """Classes so far, each numbered as one of its frames."""

    def __init__(
        self,
        first: Int64[np.ndarray, " pair"],
        second: Int64[np.ndarray, " pair"],
        distance: Float64[np.ndarray, " pair"],
        n_frames: int,
    ) -> None:
        self.label = np.arange(n_frames)
        self.size = np.ones(n_frames, dtype=np.int64)
        one, other = np.concatenate([first, second]), np.concatenate([second, first])
        order = np.lexsort((other, one))
        bounds = np.searchsorted(one[order], np.arange(n_frames + 1))
        other, distance = other[order], np.concatenate([distance, distance])[order]
        single = np.ones(len(other), dtype=np.int64)
        self._across = [
            _Across(other[low:high], distance[low:high], single[low:high]) for low, high in pairwise(bounds)
        ]

    def nearest(self, chain: list[int]) -> int | None:
        """Return the nearest class of the last one in the chain; None where it can be joined with none."""
        across = self._settled(chain[-1])
        if not len(across.other):
            return None
        closest = across.other[across.distance == across.distance.min()]
        return chain[-2] if len(chain) > 1 and chain[-2] in closest else int(closest[0])

    def join(self, one: int, other: int) -> None:
        """Make one class of two."""
        kept, gone = max(one, other), min(one, other)
        parts = self._across[one], self._across[other]
        self._across[kept] = _Across(
            np.concatenate([part.other for part in parts]),
            np.concatenate([part.distance for part in parts]),
            np.concatenate([part.n_pairs for part in parts]),
        )
        self._across[gone] = _Across(*(column[:0] for column in vars(parts[0]).values()))
        self.label[self.label == gone] = kept
        self.size[kept] += self.size[gone]

    def _settled(self, one: int) -> _Across:
        """Bring a class up to what others were joined to meanwhile, and forget what it can never be joined with."""
        across = self._across[one]
        current = self.label[across.other]
        order = np.argsort(current, kind="stable")
        other, start = np.unique(current[order], return_index=True)
        if len(other):
            distance = np.maximum.reduceat(across.distance[order], start)
            n_pairs = np.add.reduceat(across.n_pairs[order], start)
            kept = (n_pairs == self.size[one] * self.size[other]) & (other != one)
            across = _Across(other[kept], distance[kept], n_pairs[kept])
        self._across[one] = across
        return across
