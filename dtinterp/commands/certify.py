"""A model on disk becomes its certified classes of observations on disk."""

from pathlib import Path

from dtinterp.commands.handling import HERE_ALONE, Handling
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.equivalence.certify import EquivalenceConfig, EquivalenceReport
from dtinterp.equivalence.certify import certify as certify_classes
from dtinterp.equivalence.ledger import HERE, Ledger
from dtinterp.equivalence.scrutiny import Bench
from dtinterp.equivalence.storage import save_equivalence
from dtinterp.equivalence.tables import classes_table, frames_table, pairs_table
from dtinterp.foundation.artefact import Artefact, refuse_existing


def certify(
    config: EquivalenceConfig,
    out: Path = Path("results/equivalence"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    handling: Handling = HERE_ALONE,
    replace: bool = False,
) -> Artefact:
    """Swap observations in held-out contexts and certify which of them the model treats alike.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: which observations, contexts and controls.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        handling: who does the work, and tables for notebooks.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    ledger = handling.ledger(out, subject, config)
    with ledger.joined():
        report = certify_in(subject, config, ledger)
    handling.write({"pairs": pairs_table(report), "classes": classes_table(report), "frames": frames_table(report)})
    written = save_equivalence(out, report, parents=subject.artefacts, replace=replace)
    ledger.close()
    return written


def certify_in(subject: Subject, config: EquivalenceConfig, ledger: Ledger = HERE) -> EquivalenceReport:
    """Certify a subject's classes, an untrained model beside it as control."""
    return certify_classes(bench_of(subject, ledger), config)


def bench_of(subject: Subject, ledger: Ledger = HERE) -> Bench:
    """Return a subject's model and held-out steps, an untrained model beside it as control."""
    held_out = subject.split.held_out
    return Bench(subject.model, subject.untrained, subject.trajectories, held_out, subject.items, ledger)
