"""Demonstrations on disk become a mixture of them on disk."""

from collections.abc import Sequence
from pathlib import Path

from tyro.conf import Positional

from dtinterp.commands.claiming import claims_out
from dtinterp.demonstrations.joining import join as joined
from dtinterp.demonstrations.storage import load_trajectories, save_trajectories
from dtinterp.foundation.artefacts.artefact import Artefact


@claims_out
def join(
    demonstrations: Positional[tuple[Path, ...]], /, *, out: Path = Path("results/mixture"), replace: bool = False
) -> Artefact:
    """Join demonstrations, those of different worlds too; a model is trained on them as on any others.

    A model of a mixture is calibrated in each of its worlds. What is about one world, such as `certify`, wants the
    demonstrations of one. A sampler that different agents used in one world is told apart by the agent's name.

    Args:
        demonstrations: two folders or more, as collect wrote them.
        out: folder to write.
        replace: write it anew where it exists.
    """
    loaded = [load_trajectories(path) for path in demonstrations]
    parents = [artefact for _, artefact in loaded]
    mixture = joined([trajectories for trajectories, _ in loaded], _agents_of(parents))
    return save_trajectories(out, mixture, parent=parents, seed=0, replace=replace)


def _agents_of(demonstrations: Sequence[Artefact]) -> list[str]:
    """Return the name of each one's agent; where two have one name, with the beginning of their hashes."""
    found = [dict(artefact.manifest.parents) for artefact in demonstrations]
    digests: dict[str, set[str]] = {}
    for parents in found:
        for path, digest in parents.items():
            digests.setdefault(Path(path).name, set()).add(digest)

    def named(path: str, digest: str) -> str:
        name = Path(path).name
        return f"{name} {digest[:8]}" if len(digests[name]) > 1 else name

    return [" and ".join(named(*parent) for parent in parents.items()) for parents in found]
