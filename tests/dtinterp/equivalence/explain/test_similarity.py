import numpy as np
import pytest

from dtinterp.equivalence.explain.similarity import (
    COMPONENTS,
    COORDINATES,
    LINEAR,
    TREES,
    is_learnable,
    learn_similarity,
)
from dtinterp.foundation.errors import UserError


def codes(n_frames: int = 60, n_features: int = 6, seed: int = 0):
    rng = np.random.default_rng(seed)
    return (rng.random((n_frames, n_features)) < 0.5).astype(float)


def differing(code):
    return np.abs(code[:, None] - code[None])  # frame frame feature


def learnt(truth, code, rows=None, **beside):
    code = code[:, None] if code.ndim == 2 else code
    rows = code if rows is None else rows[:, None]
    return learn_similarity(truth, code, rows, beside=beside, n_splits=6, generator=np.random.default_rng(0))


def test_where_one_feature_decides_a_sum_over_features_finds_it():
    code = codes()
    found = learnt(differing(code)[..., 2] == 0, code)
    assert found.auroc[LINEAR].estimate > 0.99
    assert found.auroc[LINEAR].n == 6


def test_differences_are_means_over_windows():
    code = codes()
    twice = np.stack([code, code], axis=1)
    truth = differing(code)[..., 2] == 0
    assert learnt(truth, twice) == learnt(truth, code)
    flipped = np.stack([code[:, :1], 1 - code[:, :1]], axis=1)  # frame window 1
    once = np.repeat(code[:, None, :1], 2, axis=1)
    assert learnt(truth, flipped) == learnt(truth, once)


def test_where_an_exclusive_or_decides_only_a_function_that_is_no_sum_finds_it():
    code = codes(120, 4)
    apart = differing(code)
    found = learnt(apart[..., 0] != apart[..., 1], code)
    assert found.auroc[TREES].estimate > 0.95
    assert found.auroc[LINEAR].estimate < 0.65
    assert found.trees_less_linear.low > 0.2


def test_where_nothing_decides_nothing_is_found():
    code, rng = codes(), np.random.default_rng(5)
    noise = rng.random((60, 60)) < 0.5
    found = learnt(noise & noise.T, code)
    assert abs(found.auroc[LINEAR].estimate - 0.5) < 0.1
    assert abs(found.auroc[TREES].estimate - 0.5) < 0.1


def test_a_sum_over_the_coordinates_that_codes_are_of_is_a_rival():
    code = codes()
    mixed = code @ np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    truth = differing(code)[..., 2] == 0
    alike, apart = learnt(truth, code), learnt(truth, code, mixed)
    assert alike.auroc[COORDINATES] == alike.auroc[LINEAR]
    assert alike.linear_less[COORDINATES].high == 0
    for rival in (COORDINATES, COMPONENTS):
        assert apart.linear_less[rival].low > 0.01


def test_principal_components_are_the_same_in_any_basis():
    code = codes()
    mixed = code @ np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    truth = differing(code)[..., 2] == 0
    one, other = (learnt(truth, code, rows).auroc[COMPONENTS].estimate for rows in (code, mixed))
    assert one == pytest.approx(other, abs=1e-6)


def test_distances_beside_are_judged_on_the_same_unseen_pairs():
    code = codes()
    apart = differing(code)
    found = learnt(apart[..., 2] == 0, code, oracle=apart[..., 2], number=apart.sum(-1))
    assert found.auroc["oracle"].estimate == 1
    assert 0.5 < found.auroc["number"].estimate < 1


def test_the_same_generator_gives_the_same_numbers():
    code = codes()
    truth = differing(code)[..., 0] == 0
    assert learnt(truth, code) == learnt(truth, code)


def table(*pairs: tuple[int, int]) -> np.ndarray:
    joined = np.eye(8, dtype=bool)
    for one, other in pairs:
        joined[one, other] = joined[other, one] = True
    return joined


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0, 1), (2, 3)], True),
        ([(0, 1), (0, 2), (3, 4)], True),
        ([], False),
        ([(0, 1)], False),
        ([(0, 1), (0, 2), (0, 3)], False),
        ([(0, 1), (1, 2), (0, 2)], False),
    ],
)
def test_pairs_that_two_halves_cannot_share_leave_nothing_to_learn(pairs, expected):
    assert is_learnable(table(*pairs)) is expected
    assert is_learnable(~table(*pairs)) is expected


def test_where_nothing_can_be_learned_that_is_said_at_once():
    with pytest.raises(UserError, match="no two are of four different observations"):
        learnt(table((0, 1), (0, 2)), codes(8))
