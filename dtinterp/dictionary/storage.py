"""A dictionary and its report card become an artefact, and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import get_args

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.acceptance import AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import DictionaryScore, judge, verdict_of
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.stored import AGAIN, kind_of, require_parts
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import settings_of, understood
from dtinterp.foundation.errors import UserError

ARTEFACT_KIND = "dictionary"
NO_CARD = "not judged: no report card"
"""The verdict on a dictionary that was never scored."""
KINDS: Mapping[str, type[Kind]] = {kind.__name__: kind for kind in get_args(Kind)}
N_AXES = {"W_enc": 2, "b_enc": 1, "W_dec": 2, "b_dec": 1, "scale": 0, "threshold": 1}


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
    control = {"of_untrained": True} if dictionary.of_untrained else {}
    content = Content(
        kind=ARTEFACT_KIND,
        config={"name": dictionary.name, "site": dictionary.site, "kind": kind, **control},
        tensors=dictionary.tensors,
        metrics={} if score is None else asdict(score),
    )
    return write_artefact(path, content, parents=parents, seed=seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_dictionary(path: Path, *, parent: Artefact | None = None) -> Dictionary:
    """Read the dictionary in the folder `path`; with `parent`, check that it was fitted to just that model.

    Raises `UserError` where it is missing, damaged, of another schema, of another model than `parent` or of an
    untrained one of its shape, of an unknown kind, or of parts that do not fit.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = settings_of(_Settings, artefact.config, str(path), advice=AGAIN)
    if parent is not None and settings.of_untrained:
        raise UserError(
            f"{path} was fitted to an untrained model of the shape of {parent.path}: give a dictionary that was fitted "
            "without --untrained."
        )
    kind = kind_of(settings.kind, KINDS, path)
    require_parts(artefact.tensors, N_AXES, path, optional=("threshold",))
    return Dictionary(
        **artefact.tensors,
        kind=kind,
        site=settings.site,
        name=settings.name,
        of_untrained=settings.of_untrained,
    )


@understood(ARTEFACT_KIND)
def load_score(path: Path) -> DictionaryScore | None:
    """Read the report card that was saved with the dictionary at `path`; None where it has none.

    A verdict that was given before there were all of today's marks is given anew, with their defaults for the new ones.
    """
    metrics = read_artefact(path, kind=ARTEFACT_KIND).manifest.metrics
    if not metrics:
        return None
    score = settings_of(DictionaryScore, metrics, f"the card of {path}", advice="score it again")
    if score.verdict is None or _knew_all_marks(metrics["verdict"]):
        return score
    return dataclasses.replace(score, verdict=judge(score, score.verdict.gate))


def gate_record(path: Path) -> dict[str, str]:
    """Return what is recorded with anything that is said of the features of the dictionary at `path`.

    A verdict such as `passes`, under the name `gate`; without a report card it is not judged.
    """
    score = load_score(path)
    return {"gate": NO_CARD if score is None else str(verdict_of(score))}


def _knew_all_marks(verdict: JSON) -> bool:
    gate = verdict.get("gate") if isinstance(verdict, Mapping) else None
    return isinstance(gate, Mapping) and {mark.name for mark in fields(AcceptanceCriteria)} <= gate.keys()


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    kind: Mapping[str, str | int | float]
    of_untrained: bool = False
