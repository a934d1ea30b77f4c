"""Plays of the small world, and a policy that counts left turns, whose machine is known."""

from dataclasses import dataclass

import numpy as np
import pytest

from dtinterp.equivalence.machines.machine import SeenPlays, seen_plays
from environments.graph.plays import MOVES, ROOT, PlayTree, play_tree

LEFT = 0


@dataclass(frozen=True)
class Counted:
    """Plays, and whether an odd number of left turns lies behind each one."""

    tree: PlayTree
    seen: SeenPlays
    odd: np.ndarray
    n_frames: int


@pytest.fixture(scope="session")
def counted(graph) -> Counted:
    tree = play_tree(graph, horizon=4, actions=MOVES)
    seen = seen_plays(tree, graph.frame_id[tree.state].astype(np.int64))
    odd = np.zeros(len(seen), dtype=np.int64)
    for play, (parent, action) in enumerate(zip(seen.parent, seen.action, strict=True)):
        odd[play] = 0 if parent == ROOT else (odd[parent] + (action == LEFT)) % 2
    return Counted(tree, seen, odd, len(graph.frames))
