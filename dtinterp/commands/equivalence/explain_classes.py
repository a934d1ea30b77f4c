"""The command that says what features tell about certified classes."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_classes, read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.equivalence.observations import ExplainClassesConfig
from dtinterp.equivalence.observations import explain_classes as explain
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL, SHIPPED_DICTIONARY
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class Places:
    """Folders that belong together."""

    equivalence: Path = Path("results/equivalence")
    """certified classes, as certify wrote them"""
    dictionary: Path = SHIPPED_DICTIONARY
    """a dictionary of the model, of its observation embedding or any other site"""
    model: Path = MODEL
    """the model"""
    demonstrations: Path | None = None
    """the demonstrations that it was trained on; none: those that it records"""


@claims_out
def explain_classes(
    config: ExplainClassesConfig, places: Places, out: Path = Path("results/explanation"), *, replace: bool = False
) -> Artefact:
    """Say what the members of each class share, and how well features tell which observations are interchangeable.

    Args:
        config: intervals and controls.
        places: the classes, and what they rest on.
        out: folder to write.
        replace: write it anew where it exists.
    """
    subject = open_subject(places.model, places.demonstrations)
    (report, classes), (features, parent) = (
        read_classes(subject, places.equivalence),
        read_dictionary(subject, places.dictionary),
    )
    tensors = {"frame_id": report.chosen.frame_id, "label": report.partition.label}
    found, parents = explain(subject, report, features, config), (*subject.artefacts, classes, parent)
    beside = Beside(asdict(config), gate_record(places.dictionary), tensors)
    return save(out, found, parents=parents, seed=config.seed, replace=replace, beside=beside)
