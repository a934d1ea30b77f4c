from app.panels.contrasts import said
from dtinterp.equivalence.contrasts import Contrast

PAIR = Contrast(frame=3, other=5, divergence=0.012, stake=0.169, lost=0.0)


def test_a_confusion_says_what_is_at_stake_and_what_the_model_loses():
    assert said(PAIR, kind="confusion", rank=2) == (
        "2. Frames 3 and 5: **0.169** at stake, 0.012 bits apart. Shown one for the other, the model loses nothing."
    )


def test_a_distraction_has_nothing_at_stake_but_may_cost_the_model_something():
    costly = Contrast(frame=3, other=5, divergence=0.2, stake=0.0, lost=0.25)
    assert said(costly, kind="distraction", rank=1) == (
        "1. Frames 3 and 5: 0.2 bits apart. Shown one for the other, the model loses **0.250** of its return."
    )
