"""A published checkpoint becomes a model on disk like one of ours."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.model.published import read_published
from dtinterp.model.storage import save_published

IMPORTED = Path("results/imported-model")


@claims_out
def import_model(file: Path, /, *, out: Path = IMPORTED, replace: bool = False) -> Artefact:
    """Import a checkpoint of DecisionTransformerInterpretability; nothing in the file is run.

    Args:
        file: the checkpoint, a .pt file.
        out: folder to write.
        replace: write it anew where it exists.
    """
    return save_published(out, read_published(file), replace=replace)
