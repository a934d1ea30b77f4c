import numpy as np
import pytest

from dtinterp.foundation.bootstrap import resample


def _values(n_rows: int = 400) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {"row": np.ones(n_rows), "loss": generator.normal(2, 1, n_rows), "weight": generator.uniform(1, 3, n_rows)}


def test_the_estimate_is_the_ratio_of_the_totals() -> None:
    values = _values()
    resampled = resample(values, np.arange(400), np.random.default_rng(1))
    assert resampled.ratio("loss", "weight").estimate == pytest.approx(values["loss"].sum() / values["weight"].sum())


def test_the_interval_of_a_mean_has_the_width_that_theory_gives() -> None:
    interval = resample(_values(), np.arange(400), np.random.default_rng(1)).ratio("loss", "row")
    expected = 2 * 1.96 * np.std(_values()["loss"]) / 20
    assert interval.high - interval.low == pytest.approx(expected, rel=0.1)


def test_repeating_rows_inside_their_cluster_buys_no_certainty() -> None:
    alone = resample(_values(), np.arange(400), np.random.default_rng(1)).ratio("loss", "row")
    repeated = {name: column.repeat(5) for name, column in _values().items()}
    together = resample(repeated, np.arange(400).repeat(5), np.random.default_rng(1)).ratio("loss", "row")
    assert together.n == 400
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))


def test_quantities_share_their_draws() -> None:
    values = _values()
    values["same"] = values["loss"].copy()
    resampled = resample(values, np.arange(400), np.random.default_rng(1))
    difference = resampled.interval(lambda total: (total["loss"] - total["same"]) / total["row"])
    assert (difference.low, difference.high) == (0, 0)


def test_draws_are_what_a_slow_loop_makes_of_the_same_choices() -> None:
    values, cluster = _values(6), np.array([5, 5, 9, 9, 9, 2])
    resampled = resample(values, cluster, np.random.default_rng(7))
    choices = np.random.default_rng(7)
    for draw in range(3):
        total = 0.0
        for chosen in choices.integers(3, size=3):
            for row in np.flatnonzero(cluster == [2, 5, 9][chosen]):
                total += values["loss"][row]
        assert resampled.draws["loss"][draw] == pytest.approx(total)


def test_draws_without_a_number_are_left_out() -> None:
    values = {"top": np.array([1.0, 0.0, 3.0]), "bottom": np.array([1.0, 0.0, 1.0])}
    interval = resample(values, np.arange(3), np.random.default_rng(0)).ratio("top", "bottom")
    assert (interval.low, interval.estimate, interval.high) == (1, 2, 3)


def test_a_number_that_is_none_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="a number over all rows is nan, expected a finite one"):
        resample({"a": np.zeros(3), "b": np.zeros(3)}, np.arange(3), np.random.default_rng(0)).ratio("a", "b")
