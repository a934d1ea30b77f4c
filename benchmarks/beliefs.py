"""What windows of frames leave possible in the movable world, enumerated in half a minute.

python benchmarks/beliefs.py               benchmarks/results/beliefs.json
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from environments.graph.beliefs import (
    Belief,
    reachable_beliefs,
    same_beliefs,
    same_window_beliefs,
    window_beliefs,
)
from environments.graph.partitions import bisimulation, frame_partition
from environments.graph.state_graph import StateGraph, state_graph

OUTPUT = Path(__file__).parent / "results" / "beliefs.json"
WORLD = "MiniGrid-MemoryS7FixedStart-v0"
N_SLOTS = (1, 2, 5, 9, 10, 20, 51)
"""Of windows; ours have ten, the published model's nine, and 51 hold a whole episode."""


def measured(graph: StateGraph, n_slots: Sequence[int]) -> list[dict[str, object]]:
    """Return what may be believed after whole histories, and given windows of each length."""
    whole = _row("all", graph, reachable_beliefs(graph), same_beliefs(graph))
    rows = [_row(n, graph, window_beliefs(graph, n), same_window_beliefs(graph, n)) for n in n_slots]
    return [whole, *rows]


def _row(
    slots: int | str, graph: StateGraph, possible: Sequence[Belief], label: Int32[np.ndarray, " frame"]
) -> dict[str, object]:
    world = frame_partition(graph, bisimulation(graph))
    return {
        "slots": slots,
        "n_beliefs": len(possible),
        "most_states": max(map(len, possible)),
        "n_sets": len(np.unique(label)),
        "as_bisimulation": bool((label == world).all()),
    }


if __name__ == "__main__":
    found = {"world": WORLD, "command": "python benchmarks/beliefs.py", "rows": measured(state_graph(WORLD), N_SLOTS)}
    print(*found["rows"], sep="\n")
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
