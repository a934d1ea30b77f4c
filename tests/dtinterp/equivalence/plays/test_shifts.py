"""Shifts of decisions against sums done history by history."""

import numpy as np
import pytest
import torch

from dtinterp.equivalence.plays import shifts as module
from dtinterp.equivalence.plays.shifts import replaced_in_windows, shift_of
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.foundation.seeding import generator
from environments.graph.plays import MOVES, play_tree

N = 40


@pytest.fixture(scope="module")
def logits():
    return torch.randn(2, N, 7, generator=generator(0, "logits"))


def test_a_shift_is_what_each_history_says(logits, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 7)
    intact, shown = logits
    replaced = torch.arange(N) % 3 == 0
    found = shift_of(intact, shown, replaced, epsilon=0.2)
    each = [float(js_divergence(one, other)) for one, other in zip(intact, shown, strict=True)]
    agree = [int(one.argmax()) == int(other.argmax()) for one, other in zip(intact, shown, strict=True)]
    assert (found.n_histories, found.n_replaced) == (N, 14)
    assert found.n_beyond == sum(value > 0.2 for value in each)
    assert found.beyond == found.n_beyond / N
    assert (found.mean, found.maximum) == pytest.approx((np.mean(each), max(each)))
    assert found.agreement == pytest.approx(np.mean(agree))
    assert found.worst == each.index(max(each))


def test_the_worst_history_is_named_by_the_number_that_it_is_given(logits):
    intact, shown = logits
    everything, number = torch.ones(N, dtype=torch.bool), torch.arange(N) * 10
    plain = shift_of(intact, shown, everything, epsilon=0.2)
    assert shift_of(intact, shown, everything, epsilon=0.2, history=number).worst == 10 * plain.worst


def test_what_is_shown_as_it_is_does_not_move(logits):
    found = shift_of(logits[0], logits[0], torch.zeros(N, dtype=torch.bool), epsilon=0.0)
    assert (found.n_beyond, found.maximum, found.agreement, found.n_replaced) == (0, 0.0, 1.0, 0)


@pytest.mark.parametrize("n_slots", [1, 2, 10])
def test_a_window_is_replaced_where_any_of_its_slots_is(graph, n_slots):
    tree = play_tree(graph, horizon=4, actions=MOVES)
    is_replaced = torch.rand(len(tree), generator=generator(0, "replaced")) < 0.2
    path = tree.path(np.arange(len(tree), dtype=np.int32), 9)[:, -n_slots:]
    expected = [any(bool(is_replaced[step]) for step in row if step >= 0) for row in path.tolist()]
    assert replaced_in_windows(tree, is_replaced, n_slots=n_slots).tolist() == expected
