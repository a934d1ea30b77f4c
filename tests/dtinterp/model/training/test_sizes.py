import math

import pytest

from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.statistics import wilson
from dtinterp.model.training.sizes import COLUMNS, Scores, Tried, sizes_of
from dtinterp.model.training.sweep import SweepTrial


def tried(d_model, n_layers, seed, *, loss, successes):
    scores = Scores(1000 * d_model * n_layers, loss, 0.5, wilson(successes, 100), 1.0)
    return Tried(SweepTrial(d_model, n_layers, seed), scores)


def test_seeds_of_a_size_are_taken_together_with_students_interval():
    (size,) = sizes_of([tried(64, 2, seed, loss=loss, successes=50) for seed, loss in enumerate((1.0, 2.0, 4.5))])
    deviation = math.sqrt((1.5**2 + 0.5**2 + 2**2) / 2)
    half = 4.302653 * deviation / math.sqrt(3)  # the 97.5% point of Student's t with two degrees of freedom
    assert (size.loss.estimate, size.loss.n) == (2.5, 3)
    assert (size.loss.low, size.loss.high) == pytest.approx((2.5 - half, 2.5 + half), rel=1e-6)
    assert (size.d_model, size.n_layers, size.n_parameters, size.n_failed) == (64, 2, 128_000, 0)


def test_shares_of_success_stay_between_none_and_all():
    (size,) = sizes_of([tried(64, 1, seed, loss=1.0, successes=successes) for seed, successes in enumerate((0, 100))])
    assert (size.success.low, size.success.estimate, size.success.high) == (0.0, 0.5, 1.0)


def test_sizes_stand_by_layers_then_width_whatever_their_order():
    shuffled = [tried(*size, seed, loss=1.0, successes=1) for seed in (1, 0) for size in ((128, 1), (64, 2), (64, 1))]
    assert [(size.n_layers, size.d_model) for size in sizes_of(shuffled)] == [(1, 64), (1, 128), (2, 64)]


def test_one_seed_has_no_interval_but_its_value():
    (size,) = sizes_of([tried(64, 1, 0, loss=1.25, successes=50)])
    assert (size.loss.low, size.loss.estimate, size.loss.high, size.loss.n) == (1.25, 1.25, 1.25, 1)


def test_failed_trials_are_counted_and_a_size_without_any_other_is_left_out():
    failed = [Tried(SweepTrial(64, 1, 1), Failed("broken")), Tried(SweepTrial(100, 1, 0), Failed("impossible"))]
    (size,) = sizes_of([*failed, tried(64, 1, 0, loss=1.0, successes=50)])
    assert (size.d_model, size.loss.n, size.n_failed) == (64, 1, 1)
    assert sizes_of(failed) == []


def test_a_trial_fills_every_column_of_the_table_with_its_scores_or_its_failure():
    trained = tried(64, 1, 0, loss=1.0, successes=30)
    failed = Tried(trained.trial, Failed("no such width"))
    assert {*trained.row, *failed.row} == set(COLUMNS)
    assert (trained.row["success"], trained.row["n_episodes"]) == (0.3, 100)
    assert failed.row == {"d_model": 64, "n_layers": 1, "seed": 0, "failed": "no such width"}
