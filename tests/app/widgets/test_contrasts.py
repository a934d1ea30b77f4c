import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.catalogue import OpenStudy, open_study, studies
from app.shelf import shelve
from app.widgets.contrasts import said
from dtinterp.equivalence.comparisons.model_comparison import MODEL_COMPARISON
from dtinterp.equivalence.truth.disagreements import Contrast
from dtinterp.foundation.artefacts.codec import load, save

MAIN = Path(__file__).parents[3] / "app" / "main.py"
PATIENCE = 120
"""Seconds; the first run reads everything."""


def test_a_distraction_says_how_far_apart_it_is_and_what_the_model_loses():
    costly = Contrast(frame=3, other=5, divergence=0.2, stake=0.0, lost=0.25)
    assert said(costly, kind="distraction", rank=1) == (
        "1. Frames 3 and 5: 0.2 bits apart. Shown one for the other, the model loses **0.250** of its return."
    )


def test_a_confusion_says_what_is_at_stake():
    confused = Contrast(frame=3, other=5, divergence=0.2, stake=0.036, lost=0.0)
    assert said(confused, kind="confusion", rank=2) == (
        "2. Frames 3 and 5: **0.036** at stake, 0.2 bits apart. Shown one for the other, the model loses nothing."
    )


def test_a_loss_too_small_to_show_is_not_said_to_be_none():
    slight = Contrast(frame=3, other=5, divergence=0.2, stake=0.0, lost=1e-4)
    assert said(slight, kind="distraction", rank=1).endswith("the model loses **less than 0.001** of its return.")


@pytest.fixture
def planted(small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """The small study, with two distractions in its comparison, one of which costs half of the return."""
    for name in ("demonstrations", "models", "equivalence"):
        shutil.copytree(small_study / name, tmp_path / name)
    bare = open_study(studies(shelve([tmp_path]))["novice"])
    report = load(small_study / "agreements" / "novice", MODEL_COMPARISON)
    first, second, third = bare.frames[:3]
    distractions = (
        Contrast(frame=first, other=second, divergence=0.011, stake=0.0, lost=0.5),
        Contrast(frame=first, other=third, divergence=0.9, stake=0.0, lost=0.0),
    )
    portrait = report.portraits[0]
    found = replace(
        portrait.contrasts, n_distractions=5, distractions=distractions, n_costly_distractions=1, stakes=None
    )
    save(
        tmp_path / "agreements" / "novice",
        replace(report, portraits=(replace(portrait, contrasts=found),)),
        seed=0,
        parents=(bare.demonstrations, bare.model, bare.equivalence),
    )
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    return open_study(studies(shelve([tmp_path]))["novice"])


def _texts(app: AppTest) -> Sequence[str]:
    return [markdown.value for markdown in app.markdown]


def test_distractions_are_shown_in_their_order_with_what_they_cost_and_lead_to_the_pair(planted: OpenStudy):
    assert planted.portrait is not None
    ranked = planted.portrait.contrasts.distractions
    app = AppTest.from_file(str(MAIN), default_timeout=PATIENCE)
    app.query_params["view"] = "Confusions and distractions"
    app.run()
    assert not app.exception
    assert not app.info
    assert any("was counted wrongly in this comparison" in text for text in _texts(app))
    shown = [text for text in _texts(app) if " apart. Shown one for the other" in text]
    assert shown == [said(each, kind="distraction", rank=rank) for rank, each in enumerate(ranked, start=1)]
    assert shown[0].endswith("the model loses **0.500** of its return.")
    (introduced,) = [text for text in _texts(app) if text.startswith("The world joins")]
    assert introduced.endswith("keeps **5** of them in different classes.")
    assert any(caption.value.startswith("All were priced: by 1 of them the model loses") for caption in app.caption)
    app.button(key="distraction/2").click().run()
    assert not app.exception
    pair = app.query_params["view"], app.query_params["first"], app.query_params["second"]
    assert pair == ("Compare two", str(ranked[1].frame), str(ranked[1].other))
