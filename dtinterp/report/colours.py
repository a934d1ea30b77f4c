"""Classes become colours that stay with them as epsilon moves."""

import colorsys

from dtinterp.equivalence.partition import Partition
from dtinterp.report.style import CONTROL_2

GOLDEN = 0.618034
"""Steps of this share of the circle never come back to where they were, and keep apart (the golden ratio, less one)."""
LIGHTNESS = (0.36, 0.5, 0.62)
SATURATION = 0.6


def class_colours(partition: Partition) -> tuple[str, ...]:
    """Return a colour for each class, as `#rrggbb`: grey where it holds one frame only.

    The hue is that of the class's first frame, so classes that merge keep the colour of the one that comes first. Hues
    of neighbours may look alike: say the class in words, too.
    """
    sizes = partition.sizes.tolist()
    return tuple(
        CONTROL_2 if size == 1 else _colour(int(partition.members(label)[0])) for label, size in enumerate(sizes)
    )


def _colour(place: int) -> str:
    channels = colorsys.hls_to_rgb(place * GOLDEN % 1, LIGHTNESS[place % len(LIGHTNESS)], SATURATION)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
