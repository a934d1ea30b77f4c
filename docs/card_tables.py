"""The report cards that ship beside their dictionaries become one table of all their numbers."""

from collections.abc import Iterator
from pathlib import Path

from tables import interval, table, written

from dtinterp.dictionary.evaluation.acceptance import verdict_of
from dtinterp.dictionary.evaluation.card import RowCard
from dtinterp.dictionary.evaluation.score import DictionaryScore
from dtinterp.dictionary.storage import load_score
from dtinterp.foundation.statistics import Interval

SITES = {"hook_obs_embed": "embedding", "blocks.1.hook_resid_pre": "layer 1"}
MEASURES = ("l0", "l1", "fvu", "explained_variance", "cosine", "shrinkage", "relative_bias", "mse")
ARMS = ("clean", "spliced", "mean", "zero")


def whole_cards(checkpoints: Path) -> str:
    """Return the cards on unseen frames, where there are any, else on all held-out rows."""
    head = (
        "model",
        "site",
        "dictionary",
        "rows",
        "width, distinct inputs, rank",
        *(name.replace("_", " ") for name in MEASURES),
        "features by density",
        "coherence",
        "loss: clean, spliced, mean row, zeros",
        "verdict",
    )
    return table(head, _rows(checkpoints), n_words=4)


def _rows(checkpoints: Path) -> Iterator[list[str]]:
    for study in (*sorted((checkpoints / "studies").iterdir()), checkpoints / "comparisons" / "published"):
        for site, title in SITES.items():
            for folder in sorted((study / "dictionaries" / site).glob("*/")):
                score = load_score(folder)
                if score is not None and score.held_out is not None:
                    yield [study.name, title, folder.name, *_cells(score)]


def _cells(score: DictionaryScore) -> list[str]:
    assert score.held_out is not None
    frames, fitted = score.held_out.unseen_frame, score.held_out.fitted
    of, card = ("unseen frames", frames) if frames is not None else ("all", score.held_out.everything)
    return [
        of,
        f"{score.width}, {fitted.n_distinct}, {fitted.rank}",
        *(_interval(getattr(card, name)) for name in MEASURES),
        _counts(card),
        written(card.coherence, 2),
        ", ".join(written(getattr(score, arm).loss.estimate, 3) for arm in ARMS),
        str(verdict_of(score)),
    ]


def _interval(found: Interval | None) -> str:
    return "" if found is None else interval(found, digits=3)


def _counts(card: RowCard) -> str:
    return ", ".join(map(str, card.density))
