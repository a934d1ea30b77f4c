"""An artefact becomes what another library opens."""

from pathlib import Path
from typing import Literal

from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.to_minari import to_minari

EXPORTS = Path("results/exports")


def export(
    artefact: Path, /, *, to: Literal["minari"] = "minari", out: Path = EXPORTS, dataset_id: str | None = None
) -> Path:
    """Write an artefact in another library's format: demonstrations as a Minari dataset.

    Args:
        artefact: folder of the demonstrations.
        to: the library.
        out: folder to write into; Minari finds the dataset with MINARI_DATASETS_PATH set to it.
        dataset_id: name with version; by default the artefact's, version 0.
    """
    match to:
        case "minari":
            trajectories, source = load_trajectories(artefact)
            return to_minari(trajectories, out, dataset_id or f"{source.name}-v0")
