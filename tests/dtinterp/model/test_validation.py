import math

import pytest
import torch

from dtinterp.model import validation
from dtinterp.model.validation import action_loss, validate, validation_windows
from tests.dtinterp.model.conftest import TINY


@pytest.mark.usefixtures("few_validation_windows")
def test_validation_windows_are_held_out_and_always_the_same(trajectories, sides):
    windows = validation_windows(trajectories, sides, TINY)
    assert torch.isin(windows.step[windows.mask], sides.held_out).all()
    assert torch.equal(windows.step, validation_windows(trajectories, sides, TINY).step)
    assert len(windows) == min(len(sides.held_out), validation.VALIDATION_WINDOWS)


def test_loss_and_accuracy_are_those_of_a_slow_loop(model, windows, items, monkeypatch):
    with torch.no_grad():
        logits = model(windows, items)
    losses, hits = [], []
    for batch in range(len(windows)):
        for slot in range(windows.n_slots):
            if windows.mask[batch, slot]:
                scores = logits[batch, slot].double()
                action = int(windows.action[batch, slot])
                losses.append(math.log(sum(math.exp(score) for score in scores.tolist())) - float(scores[action]))
                hits.append(int(scores.argmax()) == action)
    monkeypatch.setattr(validation, "VALIDATION_BATCH", 10)
    measured = validate(model, windows, items)
    assert measured.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert measured.accuracy == pytest.approx(sum(hits) / len(hits))
    assert measured.n_actions == len(hits)
    assert action_loss(logits, windows).item() == pytest.approx(measured.loss, rel=1e-6)
