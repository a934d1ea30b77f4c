"""The command that finds the features that keep two observations apart."""

from dataclasses import dataclass
from pathlib import Path

import torch

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_classes, read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.equivalence.observations import ExplainPairConfig
from dtinterp.equivalence.observations import explain_pair as explain
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL, SHIPPED_DICTIONARY
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class PairPlaces:
    """Folders that belong together."""

    dictionary: Path = SHIPPED_DICTIONARY
    """a dictionary of the model's observation embedding"""
    model: Path = MODEL
    """the model"""
    demonstrations: Path | None = None
    """the demonstrations that it was trained on; none: those that it records"""
    equivalence: Path | None = None
    """certified classes, in whose histories the two are exchanged; none: in held-out demonstrations, asked for what
    these return"""


@claims_out
def explain_pair(
    config: ExplainPairConfig, places: PairPlaces, out: Path = Path("results/pair"), *, replace: bool = False
) -> Artefact:
    """Find the fewest features of a dictionary whose exchange makes two observations interchangeable.

    Args:
        config: which two, in how many contexts, and how far to search.
        places: the dictionary, and what it rests on.
        out: folder to write.
        replace: write it anew where it exists.
    """
    subject = open_subject(places.model, places.demonstrations)
    features, parent = read_dictionary(subject, places.dictionary)
    parents, classes = [*subject.artefacts, parent], None
    if places.equivalence is not None:
        classes, artefact = read_classes(subject, places.equivalence)
        parents.append(artefact)
    found, seed = explain(subject, features, config, classes), config.search.seed
    beside = Beside(metrics=gate_record(places.dictionary), tensors={"pair": torch.tensor(config.pair)})
    return save(out, found, parents=parents, seed=seed, replace=replace, beside=beside)
