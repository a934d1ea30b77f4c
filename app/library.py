"""Folders on disk become the studies that the dashboard can open."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.storage import KIND as DEMONSTRATIONS
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import TopK
from dtinterp.dictionary.storage import ARTEFACT_KIND as DICTIONARY
from dtinterp.dictionary.storage import gate_record, load_dictionary
from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.equivalence.comparison import Portrait
from dtinterp.equivalence.comparison_storage import ARTEFACT_KIND as COMPARISON
from dtinterp.equivalence.comparison_storage import load_comparison
from dtinterp.equivalence.plays import tried_on
from dtinterp.equivalence.storage import ARTEFACT_KIND as EQUIVALENCE
from dtinterp.equivalence.storage import load_equivalence
from dtinterp.features.label_storage import ARTEFACT_KIND as LABELS
from dtinterp.features.label_storage import load_labels
from dtinterp.features.label_table import Labels
from dtinterp.foundation.artefact import Artefact, read_artefact, require_made_from
from dtinterp.foundation.manifest import MANIFEST
from dtinterp.model.config import ModelConfig
from dtinterp.model.storage import KIND as MODEL
from dtinterp.model.storage import PUBLISHED

VARIABLE = "DTINTERP_ARTEFACTS"
"""Environment variable that names other folders to look in, separated as on PATH."""
FOLDERS = ("checkpoints", "results")
"""Where the dashboard looks by itself."""


@dataclass(frozen=True)
class Shelved:
    """An artefact's folder as its manifest describes it; nothing of it was read or checked yet."""

    path: Path
    kind: str
    digest: str
    parents: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """Certified classes, with what they rest on and what was found out about them."""

    equivalence: Shelved
    model: Shelved
    demonstrations: Shelved
    dictionaries: tuple[Shelved, ...] = ()
    """of the model, at any site"""
    labels: tuple[Shelved, ...] = ()
    """of the features of some of them"""
    comparison: Shelved | None = None
    """of the classes with the world; None where they were not compared"""

    @property
    def digest(self) -> str:
        """What changes when any of it does."""
        parts = (self.equivalence, self.model, self.demonstrations, *self.dictionaries, *self.labels, self.comparison)
        return "".join(part.digest for part in parts if part is not None)


@dataclass(frozen=True)
class OpenStudy:
    """A study that was read, every hash checked."""

    report: EquivalenceReport
    trajectories: Trajectories
    """the demonstrations; their frame table ends with frames that only `tried_on` shows"""
    tried_on: Trajectories
    """where the steps that the report names lie: the demonstrations, or plays of their world"""
    equivalence: Artefact
    model: Artefact
    demonstrations: Artefact
    digest: str
    """what changes when any of it does"""
    dictionaries: Mapping[str, Dictionary]
    """of the observation embedding, by name"""
    labels: Mapping[str, Labels]
    """of these dictionaries, by name, where they were searched"""
    verdicts: Mapping[str, str]
    """whether each of them passes its gate, such as `passes`, and else why not"""
    portrait: Portrait | None
    """what the model confuses, and what distracts it; None where its classes were not compared with the world"""

    @property
    def n_slots(self) -> int:
        """Slots of the windows that the model sees."""
        return TypeAdapter(ModelConfig).validate_python(self.model.config["model"]).n_slots

    @property
    def frames(self) -> list[int]:
        """The compared observations, in the order of the report: rows of the trajectories' frame table."""
        return self.report.chosen.frame_id.tolist()


def folders() -> tuple[Path, ...]:
    """Return the folders to look in."""
    named = os.environ.get(VARIABLE, os.pathsep.join(FOLDERS))
    return tuple(Path(folder) for folder in named.split(os.pathsep) if folder)


def shelve(roots: Sequence[Path]) -> tuple[Shelved, ...]:
    """Return every artefact below the roots, in order of path; half-written folders, which are hidden, are left out."""
    found = sorted(file for root in roots for file in root.rglob(MANIFEST) if not _is_hidden(file, root))
    return tuple(entry for file in found if (entry := _shelved(file)) is not None)


def studies(shelf: Sequence[Shelved]) -> Mapping[str, Study]:
    """Return the certified classes whose model and demonstrations stand on the shelf too.

    Each is called by its model's name; the second one of the same name by its folder as well.
    """
    by_digest = {entry.digest: entry for entry in shelf}
    found: dict[str, Study] = {}
    for entry in shelf:
        if entry.kind != EQUIVALENCE:
            continue
        parents = {
            by_digest[digest].kind: by_digest[digest] for digest in entry.parents.values() if digest in by_digest
        }
        if parents.keys() >= {MODEL, DEMONSTRATIONS}:
            name = parents[MODEL].path.name
            found[f"{name} ({entry.path})" if name in found else name] = _study(entry, parents, shelf)
    return found


def open_study(study: Study) -> OpenStudy:
    """Read a study. Raises `UserError` where a file of it is missing or damaged."""
    trajectories, demonstrations = load_trajectories(study.demonstrations.path)
    model = read_artefact(study.model.path, kind=MODEL)
    if PUBLISHED not in model.config:  # what was trained elsewhere was trained on demonstrations that are not here
        require_made_from(model, demonstrations)
    embedded = [
        (dictionary, gate_record(each.path)["gate"])
        for each in study.dictionaries
        if _reads_observations(dictionary := load_dictionary(each.path))
    ]
    embedded.sort(key=lambda pair: (not isinstance(pair[0].kind, TopK), pair[0].width))  # as explain-pair prefers them
    labels = [load_labels(each.path, parent=model).labels for each in study.labels]
    report = load_equivalence(study.equivalence.path, parent=model)
    tried = tried_on(report.config, trajectories)
    return OpenStudy(
        report=report,
        trajectories=replace(trajectories, frames=tried.frames),
        tried_on=tried,
        equivalence=read_artefact(study.equivalence.path, kind=EQUIVALENCE),
        model=model,
        demonstrations=demonstrations,
        digest=study.digest,
        dictionaries={each.name: each for each, _ in embedded},
        labels={each.name: each for each in labels if each.site == OBSERVATION_EMBEDDING},
        verdicts={each.name: verdict for each, verdict in embedded},
        portrait=_portrait(study, model),
    )


def _study(entry: Shelved, parents: Mapping[str, Shelved], shelf: Sequence[Shelved]) -> Study:
    def of(kind: str, parent: Shelved) -> tuple[Shelved, ...]:
        return tuple(each for each in shelf if each.kind == kind and parent.digest in each.parents.values())

    return Study(
        equivalence=entry,
        model=parents[MODEL],
        demonstrations=parents[DEMONSTRATIONS],
        dictionaries=of(DICTIONARY, parents[MODEL]),
        labels=of(LABELS, parents[MODEL]),
        comparison=next(iter(of(COMPARISON, entry)), None),
    )


def _reads_observations(dictionary: Dictionary) -> bool:
    """Whether features of the trained model's observations can be read off it: not those of a control."""
    return dictionary.site == OBSERVATION_EMBEDDING and not dictionary.of_untrained


def _portrait(study: Study, model: Artefact) -> Portrait | None:
    if study.comparison is None:
        return None
    portraits = load_comparison(study.comparison.path).portraits
    return next((portrait for portrait in portraits if portrait.model == model.name), None)


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def _shelved(file: Path) -> Shelved | None:
    """Return what a manifest says; None where it is no manifest of ours."""
    try:
        fields = json.loads(file.read_bytes())
    except ValueError:
        return None
    if not isinstance(fields, dict) or not {"kind", "digest", "parents"} <= fields.keys():
        return None
    return Shelved(file.parent, str(fields["kind"]), str(fields["digest"]), dict(fields["parents"]))
