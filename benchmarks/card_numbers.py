"""Artefacts become the numbers that benchmarks/results/dictionary_cards.json holds of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from dtinterp.dictionary.evaluation.behaviour import AtDecisions
from dtinterp.dictionary.evaluation.map_card import load_map_card
from dtinterp.dictionary.evaluation.score import DictionaryScore, verdict_of
from dtinterp.dictionary.storage import load_score
from dtinterp.features.truth.assessment import TruthStudy, summary_of
from dtinterp.features.truth.recovery import ItemRecovery

ARMS = ("clean", "spliced", "mean")
DIGITS = 5
"""The artefacts have them all."""


def card_of(folder: Path, items: ItemRecovery | None, *, with_hierarchies: bool) -> dict[str, object]:
    """Return what is kept of a dictionary's card, and of what it recovers of the items where these are known."""
    score = load_score(folder)
    assert score is not None
    numbers = {"dictionary": folder.name, "site": folder.parent.name, **_row(score)}
    if with_hierarchies:
        numbers["hierarchies"] = [asdict(each) for each in score.hierarchies]
    return numbers if items is None else {**numbers, "items": _recovery(items)}


def map_numbers(folder: Path) -> dict[str, object]:
    """Return the card of what stands in for an MLP."""
    return {"mlp": folder.parent.name, "map": folder.name, **asdict(load_map_card(folder))}


def truth_numbers(study: TruthStudy) -> dict[str, object]:
    """Return how much of items and facts single features tell, and those of the untrained twin's dictionary."""
    assert study.untrained is not None
    own, control = summary_of(study.report), study.untrained
    return {
        side: {"own": asdict(getattr(own, side)), "untrained": asdict(getattr(control, side))}
        for side in ("items", "facts")
    }


def in_lines(found: Mapping[str, object]) -> str:
    """Return the numbers as JSON, a line for each model."""
    lines = [f"{json.dumps(name)}: {json.dumps(rounded(numbers))}" for name, numbers in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def rounded(value: object) -> object:
    """Return the value with its numbers rounded to `DIGITS` digits."""
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {name: rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [rounded(each) for each in value]
        case _:
            return value


def _row(score: DictionaryScore) -> dict[str, object]:
    held_out, acting = score.held_out, score.acting
    assert held_out is not None
    assert acting is not None
    sampled = acting.played["temperature=1"]["spliced"]
    return {
        "width": score.width,
        "distinct": held_out.fitted.n_distinct,
        "effective_rank": held_out.fitted.effective_rank,
        "l0": asdict(score.l0),
        "fvu": asdict(score.fvu),
        "fvu_unseen": held_out.unseen and asdict(held_out.unseen.fvu),
        "fvu_unseen_frame": held_out.unseen_frame and asdict(held_out.unseen_frame.fvu),
        "dead": score.dead_share,
        "coherence": held_out.everything.coherence,
        "loss_recovered": score.loss_recovered_from_mean and asdict(score.loss_recovered_from_mean),
        "kl": asdict(score.spliced.kl),
        "accuracy": [score.clean.accuracy.estimate, score.spliced.accuracy.estimate],
        "decisions": score.decisions and _decisions(score.decisions),
        "exact": {arm: asdict(earned) for arm, earned in acting.exact.items()},
        "sampled": asdict(sampled),
        "consistency": score.consistency and asdict(score.consistency),
        "verdict": str(verdict_of(score)),
        "warnings": list(held_out.warnings),
    }


def _decisions(found: AtDecisions) -> dict[str, object]:
    """Return the logit differences at decision points, with rows edited there alone, and everywhere."""
    return {
        where: {arm: {"logit_difference": effects[arm]["logit_difference"]} for arm in ARMS}
        for where, effects in asdict(found).items()
    }


def _recovery(items: ItemRecovery) -> dict[str, object]:
    found = items.recovery
    return {
        "matched": asdict(found.matched),
        "chance": asdict(found.chance),
        "precision": found.precision,
        "recall": found.recall,
        "f1": found.f1,
        "uniqueness": found.uniqueness,
        "n_identifiable": items.n_identifiable,
        "rank": items.identifiable_rank,
    }
