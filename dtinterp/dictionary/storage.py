"""What is read of a dictionary on disk: the dictionary, and its report card, which stands in the metrics."""

import dataclasses
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from dtinterp.dictionary.dictionary import DICTIONARY, Dictionary
from dtinterp.dictionary.evaluation.acceptance import AcceptanceCriteria
from dtinterp.dictionary.evaluation.score import DictionaryScore, judge, verdict_of
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.artefacts.soundness import settings_of, understanding
from dtinterp.foundation.errors import UserError

NO_CARD = "not judged: no report card"
"""The verdict on a dictionary that was never scored."""


def load_dictionary(path: Path, *, parent: Artefact | None = None) -> Dictionary:
    """Read the dictionary in the folder `path`; with `parent`, check that it was fitted to just that model.

    Raises `UserError` where it is missing, damaged, of another schema, of another model than `parent` or of an
    untrained one of its shape, of an unknown kind, or of parts that do not fit.
    """
    dictionary = load(path, DICTIONARY, parent=parent)
    if parent is not None and dictionary.of_untrained:
        raise UserError(
            f"{path} was fitted to an untrained model of the shape of {parent.path}: give a dictionary that was fitted "
            "without --untrained."
        )
    return dictionary


def load_score(path: Path) -> DictionaryScore | None:
    """Read the report card that was saved with the dictionary at `path`; None where it has none.

    A verdict that was given before there were all of today's marks is given anew, with their defaults for the new ones.
    """
    metrics = read_artefact(path, kind=DICTIONARY.name).manifest.metrics
    if not metrics:
        return None
    with understanding(path, "report card"):
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
