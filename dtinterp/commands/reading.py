"""Artefacts that commands read beside their subject."""

from pathlib import Path

from dtinterp.dictionary.dictionary import DICTIONARY, Dictionary
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.equivalence.populations.population import refuse_plays
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.foundation.artefacts.codec import read
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
