"""Where edits come from: one file per source, each a function of a scene, and its name here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from dtinterp.adversaries.edits.items import item_edits
from dtinterp.adversaries.edits.observation_edit import EditTable, ObservationEdit, table_of
from dtinterp.adversaries.edits.observations import frame_edits
from dtinterp.adversaries.edits.worlds import world_edits
from dtinterp.adversaries.scene import Scene

EditSource: TypeAlias = Literal["world", "frame", "item"]

SOURCES: Mapping[EditSource, Callable[[Scene], Sequence[ObservationEdit]]] = {
    "world": world_edits,
    "frame": lambda scene: [*world_edits(scene), *frame_edits(scene)],
    "item": item_edits,
}
"""`world`: the world is edited before the window begins, and all its frames show it. `frame`: one frame shows a legal
edit that the others need not; these contain the world's. `item`: any object stands in any cell of one frame, its colour
and state as they were, as in the published experiments; nothing makes these legal."""


def edits_of(scene: Scene, source: EditSource) -> EditTable:
    """Return the edits of a source."""
    return table_of(scene.frames, SOURCES[source](scene))
