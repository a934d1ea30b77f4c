"""The codec of artefacts: any frozen dataclass of tensors and of what JSON can say, written to a folder and read back.

A kind of artefact is declared once, beside the type of its values:

    LABELS = ArtefactKind("labels", LabelStudy, places={"labels": "config", "untrained": "metrics.untrained"})

and then serves whoever writes or reads one; `layout` says what the rules mean, and none are needed for a new kind:

    save(path, study, parents=(model,), seed=0)            # the kind is found by the value's type
    study, artefact = read(path, LABELS, parent=model)     # checked: hashes, parent, types, shapes, finite numbers
    study = load(path, LABELS)                             # the value alone

What is written but never read back, such as numbers that a manifest shows at a glance, is `Beside` the value. `MODULES`
names the module of each kind, so that `load_any` opens a folder of any kind.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor

from dtinterp.foundation.artefacts.artefact import Artefact, Content, label_at, read_artefact, write_artefact
from dtinterp.foundation.artefacts.layout import ABSENT, Layout, Stored, plain
from dtinterp.foundation.artefacts.reading import JSON
from dtinterp.foundation.artefacts.soundness import require_sound, understanding
from dtinterp.foundation.errors import UserError

ValueT = TypeVar("ValueT")
MODULES: Mapping[str, str] = {
    "agent": "dtinterp.agents.storage",
    "demonstrations": "dtinterp.demonstrations.storage",
    "model": "dtinterp.model.storage",
    "activations": "dtinterp.activations.storage",
    "dictionary": "dtinterp.dictionary.dictionary",
    "mlp-map": "dtinterp.dictionary.dictionary",
    "calibration": "dtinterp.interventions.returns.calibration",
    "validation": "dtinterp.model.breakdown",
    "sweep": "dtinterp.model.training.sizes",
    "dictionary-score": "dtinterp.dictionary.evaluation.score",
    "probes": "dtinterp.features.probing",
    "features": "dtinterp.features.table",
    "labels": "dtinterp.features.labels.table",
    "truth": "dtinterp.features.truth.assessment",
    "belief-geometry": "dtinterp.features.belief_geometry",
    "feature-comparison": "dtinterp.interventions.replacements.dictionary_comparison",
    "experiment": "dtinterp.interventions.experiment.result",
    "intervention-report": "dtinterp.interventions.instruction_flip.report",
    "adversaries": "dtinterp.adversaries.report",
    "equivalence": "dtinterp.equivalence.report",
    "model-comparison": "dtinterp.equivalence.comparisons.model_comparison",
    "partition-comparison": "dtinterp.equivalence.comparisons.partition_comparison",
    "class history": "dtinterp.equivalence.over_training",
    "screening": "dtinterp.equivalence.screen",
    "joint-replacement": "dtinterp.equivalence.plays.joint",
    "machine": "dtinterp.equivalence.machines.report",
    "pair": "dtinterp.equivalence.explain.explanations",
    "explanation": "dtinterp.equivalence.explain.explanations",
}
"""Which module declares each kind; it is imported when such an artefact is opened."""


@dataclass(frozen=True)
class Beside:
    """What is written beside a value and not read back with it."""

    config: Mapping[str, JSON] = field(default_factory=dict)
    """settings that it was made with"""
    metrics: Mapping[str, JSON] = field(default_factory=dict)
    """what the manifest shows at a glance"""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    device: str = "cpu"
    """where it was computed"""


@dataclass(frozen=True, eq=False)
class ArtefactKind(Generic[ValueT]):
    """A kind of artefact: its name, the type of its values, and where their fields stand."""

    name: str
    type_of_value: type[ValueT]
    places: Mapping[str, str] = field(default_factory=dict)
    """see `Layout`, as for the next two"""
    tensors: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    beside: Callable[[ValueT], Beside] = lambda _: Beside()
    """what follows from a value and is written with it"""
    checked: Callable[[ValueT], ValueT] = lambda value: value
    """raises ValueError for a value that cannot be, or mends what an older file says"""
    formerly: Sequence[str] = ()
    """names that older artefacts of this kind have"""
    unread: frozenset[str] = frozenset()
    """names of tensors that a command writes beside a value; any others that the value has not are refused"""

    def __post_init__(self) -> None:
        """Let `save` find the kind by its values, and `load_any` by its name."""
        _KINDS[self.type_of_value] = self

    @property
    def names(self) -> Sequence[str]:
        """What artefacts of this kind are called, or were."""
        return self.name, *self.formerly

    @property
    def layout(self) -> Layout:
        """Where the fields stand."""
        return Layout(self.places, self.tensors, self.lacking)

    def encode(self, value: ValueT) -> Beside:
        """Return what is written of a value."""
        stored = Stored()
        self.layout.split(value, self.type_of_value, stored)
        return Beside(plain(stored.config), plain(stored.metrics), stored.tensors)

    def decode(self, artefact: Artefact) -> ValueT:
        """Return the value that an artefact holds. Raises `UserError` or `MISFITS` where it holds none."""
        manifest = artefact.manifest
        names = {kind: name for kind, _, name in (label.partition("/") for label in manifest.parents)}
        stored = Stored(dict(artefact.config), dict(manifest.metrics), names, dict(artefact.tensors))
        value = self.layout.join(self.type_of_value, stored)
        if value is ABSENT:
            raise ValueError("it is empty")
        self._require_no_strangers(value, artefact.tensors)
        return self.checked(value)

    def _require_no_strangers(self, value: ValueT, tensors: Mapping[str, Tensor]) -> None:
        """Raise ValueError for tensors that no value of this kind is written with."""
        known = Stored()
        self.layout.split(value, self.type_of_value, known)
        strangers = tensors.keys() - known.tensors.keys() - self.unread
        if strangers := strangers and strangers - self.beside(value).tensors.keys():
            raise ValueError(f"it has strange tensors: {', '.join(sorted(strangers))}")


def save(
    path: Path,
    value: object,
    *,
    parents: Sequence[Artefact] = (),
    seed: int,
    replace: bool = False,
    beside: Beside = Beside(),
) -> Artefact:
    """Write a value, by the kind of its type, to the folder `path`.

    Raises `UserError` where `path` exists and `replace` is not given.
    """
    return write_artefact(path, content_of(value, beside), parents=parents, seed=seed, replace=replace)


def content_of(value: Any, beside: Beside = Beside()) -> Content:
    """Return what is written of a value, which its kind and `beside` say. Raises TypeError where it is of no kind."""
    kind = next((kind for each in type(value).__mro__ if (kind := _KINDS.get(each))), None)
    if kind is None:
        raise TypeError(f"no kind of artefact is declared for {type(value).__name__}")
    parts = (kind.encode(value), kind.beside(value), beside)
    config, metrics, tensors = {}, {}, {}
    for part in parts:
        config, metrics, tensors = config | {**part.config}, metrics | {**part.metrics}, tensors | {**part.tensors}
    device = next((part.device for part in parts if part.device != "cpu"), "cpu")
    return Content(kind.name, config, tensors, metrics, device)


def read(path: Path, kind: ArtefactKind[ValueT], *, parent: Artefact | None = None) -> tuple[ValueT, Artefact]:
    """Read a value and its artefact; with `parent`, check that it was made from just that artefact.

    Raises `UserError` where it is missing, damaged, of another kind, schema or parent, or no value that makes sense.
    """
    artefact = read_artefact(path, kind=kind.name, formerly=kind.formerly, parent=parent)
    with understanding(path, kind.name):
        value = kind.decode(artefact)
        require_sound(value)
    return value, artefact


def load(path: Path, kind: ArtefactKind[ValueT], *, parent: Artefact | None = None) -> ValueT:
    """Read a value as `read` does."""
    return read(path, kind, parent=parent)[0]


def load_any(path: Path) -> tuple[Any, Artefact]:
    """Read a value by the kind that its manifest names. Raises `UserError` where `read` does, or for no known kind."""
    label = label_at(path)
    if label is None:
        raise UserError(f"{path} holds no artefact (no manifest in it can be read): check the path, or make it first.")
    kinds = kinds_named(label.kind)
    if not kinds:
        raise UserError(f"{path} is of kind {label.kind}, expected one of {', '.join(MODULES)}: use a newer version.")
    for kind in kinds[1:]:  # where two kinds had one name
        with suppress(UserError):
            return read(path, kind)
    return read(path, kinds[0])


def kinds_named(name: str) -> list[ArtefactKind[Any]]:
    """Return the kinds that have this name, or else had it; none where it is unknown."""
    for module in [MODULES[name]] if name in MODULES else MODULES.values():
        import_module(module)
    return [kind for kind in _KINDS.values() if name == kind.name or (name not in MODULES and name in kind.formerly)]


_KINDS: dict[type, ArtefactKind[Any]] = {}
