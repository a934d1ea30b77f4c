"""The studies that the dashboard can open, and one of them read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from app.shelf import Shelf, Shelved, is_as_shelved, shelve
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.demonstrations.storage import TRAJECTORIES, load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import DICTIONARY, Dictionary
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.storage import gate_record, load_dictionary
from dtinterp.equivalence.comparisons.model_comparison import MODEL_COMPARISON, ModelContrasts
from dtinterp.equivalence.populations.population import tried_on
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.features.labels.table import LABELS, Labels
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact, require_made_from
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.storage import MODEL, PUBLISHED

TRIES = 5
"""How often a study is looked for again that was replaced while it was read."""
LONGEST = 200
"""Characters of a reader's complaint about a file that no reader expects."""

T = TypeVar("T")


class ReplacedError(UserError):
    """What was about to be shown is no longer what stands on the disk."""


@dataclass(frozen=True)
class ShelvedStudy:
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
        """What changes when any of it does, or a file of it."""
        parts = (self.equivalence, self.model, self.demonstrations, *self.dictionaries, *self.labels, self.comparison)
        return "".join(part.state for part in parts if part is not None)


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
    portrait: ModelContrasts | None
    """what the model confuses, and what distracts it; None where its classes were not compared with the world"""
    left_out: tuple[str, ...] = ()
    """one sentence for each dictionary, labels or comparison that cannot be read"""

    @property
    def n_slots(self) -> int:
        """Slots of the windows that the model sees."""
        return TypeAdapter(ModelConfig).validate_python(self.model.config["model"]).n_slots

    @property
    def frames(self) -> list[int]:
        """The compared observations, in the order of the report: rows of the trajectories' frame table."""
        return self.report.chosen.frame_id.tolist()


def studies(shelf: Shelf) -> Mapping[str, ShelvedStudy]:
    """Return the certified classes whose model and demonstrations stand on the shelf too.

    Each is called by its model's name; the second one of the same name by its folder as well.
    """
    by_digest = {entry.digest: entry for entry in shelf.artefacts}
    found: dict[str, ShelvedStudy] = {}
    for entry in shelf.artefacts:
        if entry.kind != EQUIVALENCE.name:
            continue
        parents = {
            by_digest[digest].kind: by_digest[digest] for digest in entry.parents.values() if digest in by_digest
        }
        if parents.keys() >= {MODEL.name, TRAJECTORIES.name}:
            name = parents[MODEL.name].path.name
            found[f"{name} ({entry.path})" if name in found else name] = _study(entry, parents, shelf.artefacts)
    return found


def open_standing(name: str, roots: Sequence[Path], opener: Callable[[ShelvedStudy], OpenStudy]) -> OpenStudy:
    """Open the study of this name as it stands now; where it is replaced meanwhile, look for it and open it again.

    Raises `UserError` where it was taken away, and where `opener` does.
    """
    for _ in range(TRIES):
        study = studies(shelve(roots)).get(name)
        if study is None:
            raise UserError(f"{name} was taken away while it was read: choose another model, or reload the page.")
        try:
            return opener(study)
        except ReplacedError:
            continue
    raise ReplacedError(f"{name} is replaced again and again while it is read: reload the page once that has ended.")


def open_study(study: ShelvedStudy) -> OpenStudy:
    """Read a study; a dictionary, labels or a comparison that cannot be read is left out with its sentence.

    Raises `UserError` where classes, model or demonstrations are missing, damaged or of a form that is not ours, and
    `ReplacedError` where they are no longer those that were found.
    """
    trajectories, demonstrations = _read(study.demonstrations, load_trajectories)
    model = _read(study.model, _load_model)
    if PUBLISHED not in model.config:  # what was trained elsewhere was trained on demonstrations that are not here
        require_made_from(model, demonstrations)
    equivalence = _read(study.equivalence, lambda path: read_artefact(path, kind=EQUIVALENCE.name))
    report = _read(study.equivalence, lambda path: load(path, EQUIVALENCE, parent=model))
    tried = tried_on(report.config, report.moves, trajectories)
    left_out: list[str] = []
    embedded = [pair for pair in _readable(study.dictionaries, _load_dictionary, left_out) if _reads_observations(pair)]
    embedded.sort(key=lambda pair: (not isinstance(pair[0].kind, TopK), pair[0].width))  # as explain-pair prefers them
    labels = _readable(study.labels, lambda path: load(path, LABELS, parent=model).labels, left_out)
    compared = [] if study.comparison is None else [study.comparison]
    portraits = _readable(compared, lambda path: load(path, MODEL_COMPARISON).portraits, left_out)
    return OpenStudy(
        report=report,
        trajectories=replace(trajectories, frames=tried.frames),
        tried_on=tried,
        equivalence=equivalence,
        model=model,
        demonstrations=demonstrations,
        digest=study.digest,
        dictionaries={each.name: each for each, _ in embedded},
        labels={each.name: each for each in labels if each.site == OBSERVATION_EMBEDDING},
        verdicts={each.name: verdict for each, verdict in embedded},
        portrait=next((each for found in portraits for each in found if each.model == model.name), None),
        left_out=tuple(left_out),
    )


def _readable(parts: Sequence[Shelved], load: Callable[[Path], T], left_out: list[str]) -> list[T]:
    """Read those parts that can be read, and say of the others why they cannot."""
    found = []
    for part in parts:
        try:
            found.append(_read(part, load))
        except ReplacedError:
            raise
        except UserError as mistake:
            left_out.append(str(mistake))
    return found


def _read(part: Shelved, load: Callable[[Path], T]) -> T:
    """Read a part of a study.

    Raises `ReplacedError` where it is not the one that was found, else `UserError`, whatever is wrong with it: files of
    strangers, whole and sealed, may be odd in more ways than any reader expects.
    """
    try:
        loaded = load(part.path)
    except Exception as problem:
        _require_as_shelved(part)
        if isinstance(problem, UserError):
            raise
        what = f"{type(problem).__name__}: {problem}"[:LONGEST]
        raise UserError(
            f"{part.path} is no {part.kind} that this version can read ({what}): make it again with this version."
        ) from problem
    _require_as_shelved(part)
    return loaded


def _require_as_shelved(part: Shelved) -> None:
    if not is_as_shelved(part):
        raise ReplacedError(f"{part.path} was replaced while it was read: reload the page.")


def _load_model(path: Path) -> Artefact:
    artefact = read_artefact(path, kind=MODEL.name)
    TypeAdapter(ModelConfig).validate_python(artefact.config["model"])  # so that what reads it later need not doubt it
    return artefact


def _load_dictionary(path: Path) -> tuple[Dictionary, str]:
    """Return a dictionary and the verdict of its gate."""
    return load_dictionary(path), gate_record(path)["gate"]


def _study(entry: Shelved, parents: Mapping[str, Shelved], shelf: Sequence[Shelved]) -> ShelvedStudy:
    def of(names: Sequence[str], parent: Shelved) -> tuple[Shelved, ...]:
        return tuple(each for each in shelf if each.kind in names and parent.digest in each.parents.values())

    return ShelvedStudy(
        equivalence=entry,
        model=parents[MODEL.name],
        demonstrations=parents[TRAJECTORIES.name],
        dictionaries=of((DICTIONARY.name,), parents[MODEL.name]),
        labels=of(LABELS.names, parents[MODEL.name]),
        comparison=next(iter(of(MODEL_COMPARISON.names, entry)), None),
    )


def _reads_observations(judged: tuple[Dictionary, str]) -> bool:
    """Whether features of the trained model's observations can be read off it: not those of a control."""
    return judged[0].site == OBSERVATION_EMBEDDING and not judged[0].of_untrained
