"""Curves from circle to circle, and places on them for pictures that do not lie on each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]

ALONG = (0.5, 0.4, 0.6, 0.32, 0.68, 0.24, 0.76, 0.16, 0.84)
"""Where on a curve a picture may stand, as shares of its parameter, the best first."""


@dataclass(frozen=True)
class Curve:
    """A cubic Bézier curve."""

    points: tuple[Point, Point, Point, Point]

    @property
    def path(self) -> str:
        """The curve as SVG writes it."""
        (a, b), *rest = self.points
        return f"M{a:.0f} {b:.0f}C" + " ".join(f"{x:.0f} {y:.0f}" for x, y in rest)

    def at(self, share: float) -> Point:
        """Return the point at a share of the parameter: 0 is the beginning, 1 the end."""
        weights = [(1 - share) ** 3, 3 * (1 - share) ** 2 * share, 3 * (1 - share) * share**2, share**3]
        x, y = np.array(weights) @ np.array(self.points)
        return float(x), float(y)


def curve(one: Point, other: Point, radius: float) -> Curve:
    """Return a curve from the rim of one circle to that of the other; forth and back bow to different sides."""
    (x1, y1), (x2, y2) = one, other
    if one == other:
        lift = 3.6 * radius
        return Curve(((x1 - 8, y1 - radius), (x1 - lift, y1 - lift), (x1 + lift, y1 - lift), (x1 + 8, y1 - radius - 2)))
    length = float(np.hypot(x2 - x1, y2 - y1))
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    bow = (0.12 if x2 > x1 else 0.3) * length
    begin, end = (x1 + ux * radius, y1 + uy * radius), (x2 - ux * (radius + 3), y2 - uy * (radius + 3))
    aside = (-uy * bow, ux * bow)
    first = (0.7 * begin[0] + 0.3 * end[0] + aside[0], 0.7 * begin[1] + 0.3 * end[1] + aside[1])
    second = (0.3 * begin[0] + 0.7 * end[0] + aside[0], 0.3 * begin[1] + 0.7 * end[1] + aside[1])
    return Curve((begin, first, second, end))


def picture_spots(
    curves: Sequence[Curve], widths: Sequence[float], height: float, taken: Sequence[tuple[Point, float]]
) -> list[Point]:
    """Return the middle of each curve's picture, where it covers least of the others and of what is taken.

    What is taken are squares, given by their middles and sides.
    """
    boxes = [(x, y, side, side) for (x, y), side in taken]
    spots: list[Point] = []
    for each, width in zip(curves, widths, strict=True):
        found = [each.at(share) for share in ALONG]
        crowding = [sum(_overlap((x, y, width, height), box) for box in boxes) for x, y in found]
        spots.append(found[int(np.argmin(crowding))])
        boxes.append((*spots[-1], width, height))
    return spots


Box: TypeAlias = tuple[float, float, float, float]


def _overlap(one: Box, other: Box) -> float:
    (x, y, width, height), (u, v, wide, high) = one, other
    across = max(0.0, (width + wide) / 2 - abs(x - u))
    return across * max(0.0, (height + high) / 2 - abs(y - v))
