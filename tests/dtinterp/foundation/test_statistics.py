import math

import numpy as np
import pytest
from scipy import stats

from dtinterp.foundation.statistics import (
    Interval,
    bootstrap_mean,
    central,
    clopper_pearson,
    holm,
    student_mean,
    wilson,
)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 20), (1, 1), (7, 9), (950, 1000), (1000, 1000)])
def test_wilson_intervals_solve_wilsons_equation(successes, n, confidence):
    """Equation 5 of 1927 in closed form; another order of the sums moves the last bits."""
    z, share = float(stats.norm.ppf(0.5 + confidence / 2)), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    ours = wilson(successes, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((max(0.0, centre - half), min(1.0, centre + half)), abs=1e-12)
    assert (ours.estimate, ours.n) == (share, n)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (5, 4), (-1, 4)])
def test_what_is_no_proportion_is_refused(successes, n):
    with pytest.raises(ValueError, match=f"{successes} successes of {n} is no proportion"):
        wilson(successes, n)


def test_bootstrap_intervals_hold_a_planted_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    samples = rng.normal(2.0, 1.0, (150, 100))
    intervals = [bootstrap_mean(sample, rng, draws=150, confidence=0.9) for sample in samples]
    covered = sum(interval.low <= 2.0 <= interval.high for interval in intervals)
    assert 0.82 <= covered / len(samples) <= 0.97  # 150 trials have a standard deviation of 0.025


def test_bootstrap_intervals_repeat_with_their_generator():
    values = np.random.default_rng(1).random(50)
    one, other = (bootstrap_mean(values, np.random.default_rng(2)) for _ in range(2))
    assert one == other
    assert one.estimate == pytest.approx(values.mean())
    assert one.n == 50


def test_equal_values_have_an_interval_without_width():
    interval = bootstrap_mean(np.full(7, 0.1), np.random.default_rng(0))
    assert interval.high - interval.low == pytest.approx(0, abs=1e-12)


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="no values to average"):
        bootstrap_mean(np.zeros(0), np.random.default_rng(0))


def test_an_interval_holds_its_estimate():
    with pytest.raises(ValueError, match=r"estimate 0.9 lies outside \[0.1, 0.5\]"):
        Interval(0.9, 0.1, 0.5, 10)


def test_an_interval_is_written_with_its_count():
    assert str(Interval(0.953, 0.9376, 0.9641, 1000)) == "0.953 [0.938, 0.964] n=1000"


def test_students_interval_covers_the_mean_of_few_values_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = [student_mean(list(rng.normal(2.0, 3.0, 3)), confidence=0.8) for _ in range(2000)]
    covered = sum(each.low <= 2.0 <= each.high for each in draws) / len(draws)
    assert covered == pytest.approx(0.8, abs=0.03)
    assert all(each.n == 3 for each in draws)


def test_students_interval_is_the_one_in_the_tables():
    found = student_mean([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.low, found.estimate, found.high) == pytest.approx((3 - half, 3, 3 + half), rel=1e-6)


def test_one_value_has_no_interval_of_students():
    with pytest.raises(ValueError, match="1 values have no interval, expected two or more"):
        student_mean([1.0])


@pytest.mark.parametrize(("successes", "n"), [(1, 9), (7, 9), (30, 100)])
def test_clopper_pearson_intervals_are_quantiles_of_beta_distributions(successes, n):
    low = stats.beta.ppf(0.025, successes, n - successes + 1)
    high = stats.beta.ppf(0.975, successes + 1, n - successes)
    ours = clopper_pearson(successes, n)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-12)  # scipy looks for a root instead


def test_without_a_success_the_bound_is_one_sided():
    assert clopper_pearson(0, 59).high == pytest.approx(1 - 0.05 ** (1 / 59))
    assert clopper_pearson(0, 59).low == 0
    assert clopper_pearson(59, 59).low == pytest.approx(0.05 ** (1 / 59))
    assert clopper_pearson(59, 59).high == 1


def test_what_is_no_proportion_has_no_exact_interval():
    with pytest.raises(ValueError, match="3 successes of 2 is no proportion"):
        clopper_pearson(3, 2)


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


def test_holm_rarely_rejects_a_true_hypothesis_among_many():
    rng = np.random.default_rng(0)
    wrong = sum(bool((holm(rng.random(20)) < 0.05).any()) for _ in range(400))
    assert wrong / 400 < 0.08


def test_the_central_interval_of_draws_leaves_off_a_fortieth_at_each_end():
    draws = np.random.default_rng(0).permutation(np.linspace(0, 1, 1001))
    found = central(draws)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))
    assert found.n == 1001
    assert central(list(draws)) == found


def test_an_estimate_that_is_not_the_draws_mean_is_given_with_its_own_count():
    found = central(np.linspace(0, 1, 101), estimate=0.7, n=12)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.7, 0.025, 0.975))
    assert found.n == 12


@pytest.mark.parametrize(("estimate", "low", "high"), [(1.5, 0.025, 1.5), (-0.5, -0.5, 0.975)])
def test_a_central_interval_reaches_an_estimate_beyond_all_draws(estimate, low, high):
    found = central(np.linspace(0, 1, 101), estimate=estimate)
    assert (found.low, found.high) == pytest.approx((low, high))
