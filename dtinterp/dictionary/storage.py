"""A dictionary and its report card become an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.score import DictionaryScore
from dtinterp.foundation.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.errors import UserError

ARTEFACT_KIND = "dictionary"
KINDS: Mapping[str, type[Kind]] = {kind.__name__: kind for kind in get_args(Kind)}


def save_dictionary(
    path: Path,
    dictionary: Dictionary,
    *,
    score: DictionaryScore | None = None,
    parents: Sequence[Artefact],
    seed: int,
    replace: bool = False,
) -> Artefact:
    """Write the dictionary, and its score as the artefact's metrics, to the folder `path`.

    Raises `UserError` where `path` exists and `replace` is not given.
    """
    kind = {"type": type(dictionary.kind).__name__, **asdict(dictionary.kind)}
    content = Content(
        kind=ARTEFACT_KIND,
        config={"name": dictionary.name, "site": dictionary.site, "kind": kind},
        tensors=dictionary.tensors,
        metrics={} if score is None else asdict(score),
    )
    return write_artefact(path, content, parents=parents, seed=seed, replace=replace)


def load_dictionary(path: Path, *, parent: Artefact | None = None) -> Dictionary:
    """Read the dictionary in the folder `path`; with `parent`, check that it was made from just that artefact.

    Raises `UserError` where it is missing, damaged, of another schema or parent, or of an unknown kind.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    return Dictionary(
        **artefact.tensors,
        kind=_kind(settings.kind, path),
        site=settings.site,
        name=settings.name,
    )


def load_score(path: Path) -> DictionaryScore | None:
    """Read the report card that was saved with the dictionary at `path`; None where it has none."""
    metrics = read_artefact(path, kind=ARTEFACT_KIND).manifest.metrics
    return TypeAdapter(DictionaryScore).validate_python(metrics) if metrics else None


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    kind: Mapping[str, str | int | float]


def _kind(settings: Mapping[str, str | int | float], path: Path) -> Kind:
    name = str(settings["type"])
    if name not in KINDS:
        raise UserError(f"{path} is a dictionary of kind {name}, expected one of {', '.join(KINDS)}: fit it again.")
    return TypeAdapter(KINDS[name]).validate_python({key: value for key, value in settings.items() if key != "type"})
