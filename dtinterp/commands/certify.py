"""A model on disk becomes its certified classes of observations on disk."""

from pathlib import Path

from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.equivalence.certify import EquivalenceConfig, EquivalenceReport
from dtinterp.equivalence.certify import certify as certify_classes
from dtinterp.equivalence.storage import save_equivalence
from dtinterp.equivalence.tables import classes_table, frames_table, pairs_table, write_tables
from dtinterp.foundation.artefact import Artefact, refuse_existing


def certify(
    config: EquivalenceConfig,
    out: Path = Path("results/equivalence"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    tables: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Swap observations in held-out contexts and certify which of them the model treats alike.

    Args:
        config: which observations, contexts and controls.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        tables: folder for pairs, classes and frames as Parquet; none without.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    report = certify_in(subject, config)
    if tables is not None:
        write_tables(
            tables, {"pairs": pairs_table(report), "classes": classes_table(report), "frames": frames_table(report)}
        )
    return save_equivalence(out, report, parents=subject.artefacts, replace=replace)


def certify_in(subject: Subject, config: EquivalenceConfig) -> EquivalenceReport:
    """Certify a subject's classes, an untrained model beside it as control."""
    return certify_classes(
        subject.model,
        subject.trajectories,
        split=subject.split,
        items=subject.items,
        untrained=subject.untrained,
        config=config,
    )
