"""Demonstrations on disk become a mixture of them on disk."""

from pathlib import Path

from tyro.conf import Positional

from dtinterp.demonstrations.joining import join as joined
from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.foundation.artefact import Artefact, refuse_existing


def join(
    demonstrations: Positional[tuple[Path, ...]], /, *, out: Path = Path("results/mixture"), replace: bool = False
) -> Artefact:
    """Join demonstrations, those of different worlds too; a model is trained on them as on any others.

    A model of a mixture is calibrated in each of its worlds. What is about one world, such as `certify`, wants the
    demonstrations of one.

    Args:
        demonstrations: two folders or more, as collect wrote them.
        out: folder to write.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    loaded = [load_trajectories(path) for path in demonstrations]
    mixture = joined([trajectories for trajectories, _ in loaded])
    parents = [artefact for _, artefact in loaded]
    return save_trajectories(out, mixture, parent=parents, seed=0, replace=replace)
