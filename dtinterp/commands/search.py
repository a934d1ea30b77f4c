"""The command that searches edits of what was seen that flip what a model does."""

from pathlib import Path

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.search import search as searched
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def search(
    config: AdversaryConfig,
    out: Path = Path("results/adversaries"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    dictionary: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Search the smallest edits of what was seen that flip what a model does at the decision points of its world.

    Edits place, move, recolour, replace or remove things, in one frame or in the world. Each that is found is held
    against random ones, and against what the world could show instead.

    Args:
        config: what is to be flipped, by which edits, and how they are looked for.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        dictionary: folder of a dictionary of the model, where one of its features is to be flipped.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    parents, features = [*subject.artefacts], None
    if dictionary is not None:
        features, parent = read_dictionary(subject, dictionary)
        parents.append(parent)
    report = searched(subject, config, dictionary=features)
    return save(out, report, parents=parents, seed=config.seed, replace=replace)
