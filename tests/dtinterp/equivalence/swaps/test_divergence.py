import math

import pytest
import torch

from dtinterp.equivalence.swaps.divergence import distributions, js_between, js_divergence
from dtinterp.foundation.seeding import generator


def _slow_divergence(logits: list[float], other: list[float]) -> float:
    def softmax(row: list[float]) -> list[float]:
        total = sum(math.exp(value) for value in row)
        return [math.exp(value) / total for value in row]

    bits = 0.0
    for p, q in zip(softmax(logits), softmax(other), strict=True):
        m = (p + q) / 2
        bits += p * math.log2(p / m) / 2 + q * math.log2(q / m) / 2
    return bits


def test_it_is_the_sum_over_actions_of_a_slow_loop() -> None:
    logits, other = 3 * torch.randn(2, 40, 7, generator=generator(0, "logits"))
    slow = [_slow_divergence(p, q) for p, q in zip(logits.tolist(), other.tolist(), strict=True)]
    torch.testing.assert_close(js_divergence(logits, other), torch.tensor(slow, dtype=torch.float64))


def test_it_is_the_entropy_of_the_mixture_less_the_mean_entropy() -> None:
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.1, 0.1, 0.8])

    def entropy(row: torch.Tensor) -> torch.Tensor:
        return -(row.double() * row.double().log2()).sum()

    expected = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    torch.testing.assert_close(js_divergence(p.log(), q.log()), expected, rtol=1e-6, atol=0)


def _coin_entropy(p: torch.Tensor) -> torch.Tensor:
    return -(p * p.log2() + (1 - p) * (1 - p).log2())


def test_it_bounds_how_far_any_probability_moves() -> None:
    logits, other = 3 * torch.randn(2, 2000, 7, dtype=torch.float64, generator=generator(0, "logits"))
    moved = (logits.softmax(-1) - other.softmax(-1)).abs().max(-1).values
    assert (js_divergence(logits, other) >= 1 - _coin_entropy((1 - moved) / 2)).all()


@pytest.mark.parametrize(("bits", "moved"), [(0.01, 0.12), (0.05, 0.26), (0.1, 0.37)])
def test_the_bound_is_met_by_two_coins(bits: float, moved: float) -> None:
    coin = torch.tensor([1 + moved, 1 - moved], dtype=torch.float64) / 2
    assert js_divergence(coin.log(), coin.flip(0).log()).item() == pytest.approx(bits, rel=0.05)


def test_equal_logits_are_exactly_zero_apart() -> None:
    logits = 10 * torch.randn(1000, 7, generator=generator(0, "logits"))
    assert not js_divergence(logits, logits.clone()).any()


def test_logits_that_differ_by_a_constant_are_next_to_zero_apart() -> None:
    logits = torch.randn(100, 7, generator=generator(0, "logits"))
    assert js_divergence(logits, logits + 3).max() < 1e-12


def test_rounding_never_makes_it_negative() -> None:
    logits, noise = torch.randn(2, 1000, 7, dtype=torch.float64, generator=generator(0, "logits"))
    assert js_divergence(logits, logits + 1e-9 * noise).min() >= 0


def test_exchanging_the_arguments_changes_no_bit() -> None:
    logits, other = 10 * torch.randn(2, 1000, 7, generator=generator(0, "logits"))
    assert torch.equal(js_divergence(logits, other), js_divergence(other, logits))


@pytest.mark.parametrize("size", [100.0, 1e4, 1e30])
def test_distributions_with_no_action_in_common_are_one_bit_apart(size: float) -> None:
    logits, other = torch.tensor([size, 0.0, 0.0]), torch.tensor([0.0, size, 0.0])
    assert js_divergence(logits, other).item() == 1


@pytest.mark.parametrize("size", [0.1, 3.0, 300.0])
def test_with_logarithms_taken_once_it_is_the_same(size: float) -> None:
    logits, other = size * torch.randn(2, 200, 5, 7, generator=generator(0, "logits"))
    one, two = distributions(logits), distributions(other)
    torch.testing.assert_close(js_between(one, two), js_divergence(logits, other), atol=1e-12, rtol=0)
    torch.testing.assert_close(js_between(one[3], two[3]), js_divergence(logits[3], other[3]), atol=1e-12, rtol=0)
    assert not js_between(one, distributions(logits.clone())).any()
    assert js_between(one, two).min() >= 0
    assert js_between(one, two).max() <= 1
