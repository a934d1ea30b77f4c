"""Folders on disk become the studies that the dashboard can open."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.demonstrations.storage import KIND as DEMONSTRATIONS
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certify import EquivalenceReport
from dtinterp.equivalence.storage import ARTEFACT_KIND as EQUIVALENCE
from dtinterp.equivalence.storage import load_equivalence
from dtinterp.foundation.artefact import Artefact, read_artefact
from dtinterp.foundation.manifest import MANIFEST
from dtinterp.model.config import ModelConfig
from dtinterp.model.storage import KIND as MODEL

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
    """Certified classes, with the model and the demonstrations that they rest on."""

    equivalence: Shelved
    model: Shelved
    demonstrations: Shelved

    @property
    def name(self) -> str:
        """The model's name, and where the classes stand."""
        return f"{self.model.path.name} · {self.equivalence.path}"


@dataclass(frozen=True)
class OpenStudy:
    """A study that was read, every hash checked."""

    report: EquivalenceReport
    trajectories: Trajectories
    equivalence: Artefact
    model: Artefact
    demonstrations: Artefact

    @property
    def n_slots(self) -> int:
        """Slots of the windows that the model sees."""
        return TypeAdapter(ModelConfig).validate_python(self.model.config["model"]).n_slots


def folders() -> tuple[Path, ...]:
    """Return the folders to look in."""
    named = os.environ.get(VARIABLE, os.pathsep.join(FOLDERS))
    return tuple(Path(folder) for folder in named.split(os.pathsep) if folder)


def shelve(roots: Sequence[Path]) -> tuple[Shelved, ...]:
    """Return every artefact below the roots, in order of path; half-written folders, which are hidden, are left out."""
    found = sorted(file for root in roots for file in root.rglob(MANIFEST) if not _is_hidden(file, root))
    return tuple(entry for file in found if (entry := _shelved(file)) is not None)


def studies(shelf: Sequence[Shelved]) -> tuple[Study, ...]:
    """Return the certified classes whose model and demonstrations stand on the shelf too."""
    by_digest = {entry.digest: entry for entry in shelf}
    found = []
    for entry in shelf:
        if entry.kind != EQUIVALENCE:
            continue
        parents = {
            by_digest[digest].kind: by_digest[digest] for digest in entry.parents.values() if digest in by_digest
        }
        if parents.keys() >= {MODEL, DEMONSTRATIONS}:
            found.append(Study(entry, parents[MODEL], parents[DEMONSTRATIONS]))
    return tuple(found)


def open_study(study: Study) -> OpenStudy:
    """Read a study. Raises `UserError` where a file of it is missing or damaged."""
    trajectories, demonstrations = load_trajectories(study.demonstrations.path)
    model = read_artefact(study.model.path, kind=MODEL, parent=demonstrations)
    return OpenStudy(
        report=load_equivalence(study.equivalence.path, parent=model),
        trajectories=trajectories,
        equivalence=read_artefact(study.equivalence.path, kind=EQUIVALENCE),
        model=model,
        demonstrations=demonstrations,
    )


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
