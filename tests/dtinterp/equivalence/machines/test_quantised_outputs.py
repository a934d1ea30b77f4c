"""Classes of distributions, against all pairs."""

import torch

from dtinterp.equivalence.machines.quantised_outputs import quantised
from dtinterp.equivalence.swaps.divergence import js_divergence

EPSILON = 0.05


def _logits(n):
    return 2 * torch.randn(n, 7, generator=torch.Generator().manual_seed(0))


def test_no_two_of_a_class_are_beyond_epsilon():
    logits = _logits(300)
    found = quantised(logits, EPSILON)
    label = torch.from_numpy(found.label)
    together = label[:, None] == label[None, :]
    assert js_divergence(logits[:, None].expand(-1, 300, -1), logits.expand(300, -1, -1))[together].max() <= EPSILON
    assert 1 < found.n_classes < 300


def test_equal_distributions_share_a_class_and_far_ones_do_not():
    logits = torch.eye(7)[[0, 1, 0]] * 20
    assert quantised(logits, EPSILON).label.tolist() == [0, 1, 0]


def test_the_mean_of_a_class_is_a_distribution_within_epsilon_of_its_members():
    logits = _logits(100)
    found = quantised(logits, EPSILON)
    mean = torch.from_numpy(found.chances)
    assert torch.allclose(mean.sum(1), torch.ones(found.n_classes, dtype=torch.float64))
    assert js_divergence(mean.log()[torch.from_numpy(found.label)], logits).max() <= EPSILON


def test_one_distribution_is_one_class():
    assert quantised(torch.zeros(1, 7), EPSILON).n_classes == 1
