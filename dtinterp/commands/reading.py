"""Artefacts that commands read beside their subject."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dtinterp.dictionary.dictionary import DICTIONARY, Dictionary
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.equivalence.populations.population import refuse_plays
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.foundation.artefacts.codec import read
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import MODEL
from dtinterp.subject.subject import Subject


def read_dictionary(subject: Subject, path: Path) -> tuple[Dictionary, Artefact]:
    """Read a dictionary. Raises `UserError` where it was not fitted to the subject's model, or is none.

    An untrained subject takes the trained model's dictionaries, too.
    """
    trained = subject.trained.artefact
    source = read_artefact(path, kind=DICTIONARY.name, parent=trained)
    return load_dictionary(path, parent=None if subject.is_untrained else trained), source


def read_classes(subject: Subject, path: Path) -> tuple[EquivalenceReport, Artefact]:
    """Read certified classes. Raises `UserError` where they are not of the subject's model, or of plays alone."""
    report, artefact = read(path, EQUIVALENCE, parent=subject.trained.artefact)
    refuse_plays(report.config, str(path))
    return report, artefact


def read_classes_of_one_model(paths: Sequence[Path]) -> Mapping[str, tuple[EquivalenceReport, Artefact]]:
    """Read certified classes by the names of their folders, or by their paths where names are not different.

    Raises `UserError` where they are not of one model, and where one is given twice.
    """
    found = [read(path, EQUIVALENCE) for path in paths]
    digests = [artefact.manifest.digest for _, artefact in found]
    models = [_model_of(artefact) for _, artefact in found]
    for path, digest, model in zip(paths, digests, models, strict=True):
        if digests.count(digest) > 1:
            raise UserError(f"{path} is given twice, or its copy is: name different certificates.")
        if model != models[0]:
            raise UserError(
                f"{path} is of {model} and {paths[0]} of {models[0]}: give classes of one model, or hold those of "
                "several against each other with dtinterp compare."
            )
    by_name = {path.name: each for path, each in zip(paths, found, strict=True)}
    return by_name if len(by_name) == len(paths) else dict(zip(map(str, paths), found, strict=True))


def _model_of(artefact: Artefact) -> str:
    """Return the name of the model that an artefact was made from, and the start of its digest."""
    parents = artefact.manifest.parents.items()
    return next((f"{name} {digest[:12]}" for name, digest in parents if name.startswith(f"{MODEL.name}/")), "no model")
