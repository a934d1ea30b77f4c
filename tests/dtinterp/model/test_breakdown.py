import math

import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.foundation.errors import UserError
from dtinterp.model import breakdown as breakdown_module
from dtinterp.model.breakdown import BUCKETS, break_down


@pytest.fixture
def found(model, windows, items, trajectories, monkeypatch):
    monkeypatch.setattr(breakdown_module, "BATCH", 10)
    return break_down(model, windows, items, trajectories, seed=0)


def slow_scores(model, windows, items, chosen):
    """Loss and hits of the chosen (window, slot) pairs, one after the other."""
    losses, hits = [], []
    for row, slot in chosen:
        with torch.no_grad():
            scores = model(windows[row : row + 1], items)[0, slot].double().tolist()
        action = int(windows.action[row, slot])
        losses.append(math.log(sum(math.exp(score) for score in scores)) - scores[action])
        hits.append(max(range(7), key=lambda each: scores[each]) == action)
    return losses, hits


def check(prediction, losses, hits):
    assert prediction.loss.estimate == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert prediction.accuracy.estimate == pytest.approx(sum(hits) / len(hits))
    assert prediction.loss.n == prediction.accuracy.n == len(losses)
    assert prediction.loss.low <= prediction.loss.estimate <= prediction.loss.high


def test_overall_counts_the_newest_action_of_every_window(found, model, windows, items):
    check(found.overall, *slow_scores(model, windows, items, [(row, 9) for row in range(64)]))


def test_a_slot_counts_the_windows_in_which_it_is_real(found, model, windows, items):
    assert list(found.by_slot) == [f"slot {slot}" for slot in range(1, 11)]
    for slot in (0, 4):
        chosen = [(row, slot) for row in range(64) if windows.mask[row, slot]]
        check(found.by_slot[f"slot {slot + 1}"], *slow_scores(model, windows, items, chosen))


def test_a_bucket_counts_the_windows_with_such_a_return_to_go(found, model, windows, items):
    def bucket(asked):
        for edge, name in zip((0.0, 0.25, 0.5, 0.75), BUCKETS, strict=False):
            if asked <= edge:
                return name
        return BUCKETS[-1]

    names = [bucket(float(windows.rtg[row, 9])) for row in range(64)]
    assert set(found.by_return) == set(names)
    for name in set(names):
        chosen = [(row, 9) for row in range(64) if names[row] == name]
        check(found.by_return[name], *slow_scores(model, windows, items, chosen))


def test_a_sampler_counts_the_windows_it_acted_in(found, model, windows, items, trajectories):
    assert set(found.by_sampler) == {"temperature=1", "temperature=5"}
    for index, name in enumerate(trajectories.samplers):
        chosen = [
            (row, 9) for row in range(64) if trajectories.sampler[trajectories.episode[windows.step[row, 9]]] == index
        ]
        check(found.by_sampler[name], *slow_scores(model, windows, items, chosen))


def test_returns_and_samplers_each_share_out_all_windows(found):
    for parts in (found.by_return, found.by_sampler):
        assert sum(part.accuracy.n for part in parts.values()) == found.overall.accuracy.n == 64


def test_buckets_are_named_by_their_edges():
    assert BUCKETS == ("at most 0", "0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "above 0.75")


def test_what_no_window_shows_is_left_out(model, items, trajectories):
    first = window(trajectories, trajectories.first_step[:5])
    assert list(break_down(model, first, items, trajectories, seed=0).by_slot) == ["slot 10"]


def test_there_must_be_windows(model, windows, items, trajectories):
    with pytest.raises(UserError, match="a window has no newest step to predict"):
        break_down(model, windows[:0], items, trajectories, seed=0)
