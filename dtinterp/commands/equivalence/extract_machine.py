"""The command that learns the finite-state machine that a model's policy is."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.run_options import NO_CLASSES, MachineOptions
from dtinterp.commands.reading import read_classes
from dtinterp.equivalence.machines.extract import extract_machine as extract
from dtinterp.equivalence.machines.extract import with_certificate
from dtinterp.equivalence.machines.report import MachineConfig
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.shipped import MODEL
from dtinterp.report.drawings.machine import machine_drawing
from dtinterp.subject.subject import open_subject


@claims_out
def extract_machine(
    config: MachineConfig,
    out: Path = Path("results/machine"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    run: MachineOptions = NO_CLASSES,
    replace: bool = False,
) -> Artefact:
    """Learn the finite-state machine of a model asked one return from all plays of its world, and draw it.

    The drawing goes to OUT.html. An interrupted call goes on where it stopped when it is called again.

    Args:
        config: which plays, and what the machine is held against.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        run: who does the work, certified classes to compare with, and a table for notebooks.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    classes = None if run.equivalence is None else read_classes(subject, run.equivalence)
    cache = run.cache(out, subject, config)
    with cache.joined():
        found = extract(subject, config, cache=cache)
    parents = subject.artefacts
    if classes is not None:
        found, parents = with_certificate(found, *classes), (*subject.artefacts, classes[1])
    run.write({"machine-sizes": pd.DataFrame([asdict(each) for each in found.sizes])})
    write_text(out.with_name(f"{out.name}.html"), machine_drawing(found))
    written = save(out, found, parents=parents, seed=config.seed, replace=replace)
    cache.close()
    return written
