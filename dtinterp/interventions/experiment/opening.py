"""An experiment opened: its model, windows, dictionaries and directions, before anything is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.directions.finder import FoundDirections, Material
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.experiment.specification import Experiment
from dtinterp.interventions.sweeps import n_doses_of
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True, eq=False)
class Opened:
    """Everything that an experiment names."""

    experiment: Experiment
    names: Bindings
    chosen: ChosenWindows
    found: Mapping[str, FoundDirections]
    edits: tuple[Dosed, ...]
    """bound to the model"""
    parents: tuple[Artefact, ...]
    """model, demonstrations, dictionaries"""

    @property
    def n_doses(self) -> int:
        """How many doses are tried."""
        return n_doses_of(self.edits)


def open_experiment(experiment: Experiment, *, subject: Subject | None = None) -> Opened:
    """Open what an experiment names; with `subject`, that is studied instead of the model that it names.

    Raises `UserError` for the first thing that is not there, or that an edit cannot mean.
    """
    studied = experiment.subject
    if subject is None:
        subject = open_subject(
            Path(studied.model), None if studied.demonstrations is None else Path(studied.demonstrations)
        )
    parent = subject.trained.artefact
    dictionaries = {name: load_dictionary(path, parent=parent) for name, path in studied.folders().items()}
    read = [read_artefact(path, kind="dictionary") for path in studied.folders().values()]
    chosen = experiment.windows.choose(subject, experiment.seeds[0])
    for measure in experiment.measure:
        measure.require_windows(chosen.names)
    found = _directions(experiment, subject, chosen, dictionaries)
    directions = {name: (each.vectors, each.found_at) for name, each in found.items()}
    names = Bindings(
        subject, chosen.windows, chosen.items, chosen.names, dictionaries, directions, seed=experiment.seeds[0]
    )
    for edit in experiment.edits:
        edit.at.require_some(chosen.windows)
    edits = tuple(edit.bound(names) for edit in experiment.edits)
    n_doses_of(edits)
    return Opened(experiment, names, chosen, found, edits, (*subject.artefacts, *read))


def _directions(
    experiment: Experiment, subject: Subject, chosen: ChosenWindows, dictionaries: Mapping[str, Dictionary]
) -> dict[str, FoundDirections]:
    """Find the directions, where the first edit is made."""
    if not experiment.directions:
        return {}
    material = Material(subject, experiment.edits[0].at.site, chosen, dictionaries, experiment.seeds[0])
    return {name: each.find(material) for name, each in experiment.directions.items()}
