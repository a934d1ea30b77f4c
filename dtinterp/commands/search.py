"""The command that searches edits of what was seen that flip what a model does."""

from dataclasses import dataclass
from pathlib import Path

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.search import search as searched
from dtinterp.adversaries.understanding import SearchAids
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.shipped import MODEL
from dtinterp.model.storage import load_model
from dtinterp.subject.subject import open_subject, require_world


@dataclass(frozen=True)
class SearchPlaces:
    """Folders that a search reads."""

    model: Path = MODEL
    """the model"""
    demonstrations: Path | None = None
    """the demonstrations that it was trained on; none: those that it records"""
    dictionary: Path | None = None
    """a dictionary of the model: whose feature is to be flipped, and where it reads observation embeddings, by whose
    features greedy and beam search are guided and what is found is explained"""
    deeper: tuple[Path, ...] = ()
    """dictionaries of deeper sites, the deepest first, through which the drivers of the logits are followed down"""
    transfer_to: tuple[Path, ...] = ()
    """other models of the same world, to which what is found is shown"""


@claims_out
def search(
    config: AdversaryConfig, places: SearchPlaces, out: Path = Path("results/adversaries"), *, replace: bool = False
) -> Artefact:
    """Search the smallest edits of what was seen that flip what a model does at the decision points of its world.

    Edits place, move, recolour, replace or remove things, in one frame or in the world. What is found is held against
    random edits and against what the world could show instead, explained, and shown to other models.

    Args:
        config: what is to be flipped, by which edits, and how they are looked for.
        places: the model, its dictionaries, and other models.
        out: folder to write.
        replace: write it anew where it exists.
    """
    subject = open_subject(places.model, places.demonstrations)
    dictionaries = [read_dictionary(subject, path) for path in (places.dictionary, *places.deeper) if path is not None]
    parents = [*subject.artefacts, *(parent for _, parent in dictionaries)]
    others = [load_model(path) for path in places.transfer_to]
    for other in others:
        require_world(other, subject.trajectories.env_ids)
    aids = SearchAids(
        dictionary=dictionaries[0][0] if places.dictionary is not None else None,
        deeper=tuple(each for each, _ in dictionaries[places.dictionary is not None :]),
        others={other.artefact.name: other.model for other in others},
    )
    return save(out, searched(subject, config, aids), parents=parents, seed=config.seed, replace=replace)
