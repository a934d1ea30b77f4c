"""An artefact becomes what another library opens."""

from pathlib import Path
from typing import Literal, assert_never

from dtinterp.demonstrations.minari.exporting import to_minari
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.dictionary.formats.saelens import export_saelens
from dtinterp.dictionary.storage import load_dictionary

EXPORTS = Path("results/exports")


def export(
    artefact: Path,
    /,
    *,
    to: Literal["minari", "saelens"] = "minari",
    out: Path = EXPORTS,
    dataset_id: str | None = None,
) -> Path:
    """Write an artefact in another library's format: demonstrations for Minari, a dictionary for SAELens.

    Args:
        artefact: folder of the demonstrations, or of the dictionary.
        to: the library.
        out: folder to write into; Minari finds the dataset with MINARI_DATASETS_PATH set to it, and SAELens opens the
            folder of the dictionary's name.
        dataset_id: of a Minari dataset, name with version; by default the artefact's, version 0.
    """
    match to:
        case "minari":
            trajectories, source = load_trajectories(artefact)
            return to_minari(trajectories, out, dataset_id or f"{source.name}-v0")
        case "saelens":
            return export_saelens(out / artefact.resolve().name, load_dictionary(artefact))
        case _:
            assert_never(to)
