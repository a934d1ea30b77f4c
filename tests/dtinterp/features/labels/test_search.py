from itertools import combinations, product
from math import comb, log2

import pytest
import torch
from jaxtyping import Bool
from torch import Tensor

from dtinterp.features.labels.predicates import Predicates
from dtinterp.features.labels.search import NONE, saved_bits, search


def drawn(n_rows: int, n_statements: int, seed: int = 0) -> Predicates:
    rng = torch.Generator().manual_seed(seed)
    share = torch.rand(n_statements, generator=rng)
    holds = torch.rand(n_rows, n_statements, generator=rng) < share
    return Predicates(
        holds, tuple(f"s{place}" for place in range(n_statements)), torch.rand(n_statements, generator=rng) + 3
    )


def slowly(fires: list[bool], predicates: Predicates, n_literals: int) -> float:
    """The most that any conjunction is worth, each tried by itself."""
    columns, n = predicates.holds.T.tolist(), len(fires)
    best = 0.0
    for size in range(1, n_literals + 1):
        for chosen in combinations(range(len(columns)), size):
            for signs in product([False, True], repeat=size):
                said = [all(columns[c][r] != sign for c, sign in zip(chosen, signs, strict=True)) for r in range(n)]
                m, k = sum(said), sum(fires)
                t = sum(s and f for s, f in zip(said, fires, strict=True))
                if t * n <= m * k:
                    continue
                told = log2(min(m, k) + 1) + log2(comb(m, t)) + log2(comb(n - m, k - t))
                label = log2(n_literals) + sum(1 + float(predicates.bits[c]) for c in chosen)
                best = max(best, log2(comb(n, k)) - told - label)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_what_trying_every_conjunction_finds(seed: int) -> None:
    predicates = drawn(60, 7, seed)
    rng = torch.Generator().manual_seed(seed)
    planted = predicates.holds[:, 0] & ~predicates.holds[:, 1]
    noisy = planted ^ (torch.rand(60, generator=rng) < 0.1)
    fires = torch.stack([planted, noisy, torch.rand(60, generator=rng) < 0.3], dim=1)

    found = search(fires, predicates, n_literals=3, beam=400)

    expected = [slowly(column.tolist(), predicates, 3) for column in fires.T]
    torch.testing.assert_close(found.worth, torch.tensor(expected), atol=1e-3, rtol=0)


@pytest.mark.parametrize("n_literals", [1, 2, 3])
def test_a_planted_conjunction_is_found_or_one_that_says_the_same(n_literals: int) -> None:
    predicates = drawn(500, 40)
    rng = torch.Generator().manual_seed(1)
    fires = torch.stack([_planted(predicates, n_literals, rng) for _ in range(30)], dim=1)
    fires = fires[:, (fires.sum(dim=0) > 20) & (fires.sum(dim=0) < 480)]

    found = search(fires, predicates, n_literals=3, beam=16)

    assert fires.shape[1] >= 5
    assert torch.equal(found.holds(predicates), fires)


def test_shuffled_firings_get_no_label_but_as_often_as_the_bits_say() -> None:
    predicates = drawn(300, 60)
    rng = torch.Generator().manual_seed(2)
    planted = _planted(predicates, 2, rng)
    shuffled = torch.stack([planted[torch.randperm(300, generator=rng)] for _ in range(400)], dim=1)

    worth = search(shuffled, predicates, n_literals=3, beam=8).worth

    for bits in (1.0, 3.0, 6.0):
        assert float((worth >= bits).float().mean()) <= 2**-bits


def test_a_feature_that_always_or_never_fires_gets_no_label() -> None:
    predicates = drawn(50, 10)
    fires = torch.stack([torch.ones(50, dtype=torch.bool), torch.zeros(50, dtype=torch.bool)], dim=1)

    found = search(fires, predicates, n_literals=3, beam=4)

    assert (found.statement == NONE).all()
    assert found.words(predicates) == ("", "")
    assert found.holds(predicates).all()


def test_a_label_is_written_with_its_negations() -> None:
    predicates = drawn(400, 5)
    fires = (predicates.holds[:, 2] & ~predicates.holds[:, 4])[:, None]

    (words,) = search(fires, predicates, n_literals=3, beam=8).words(predicates)

    assert set(words.split(" and ")) == {"s2", "not s4"}


def test_features_do_not_depend_on_their_company() -> None:
    predicates = drawn(120, 20)
    fires = torch.rand(120, 70, generator=torch.Generator().manual_seed(3)) < 0.2

    together = search(fires, predicates, n_literals=2, beam=16)

    alone = search(fires[:, 40:41], predicates, n_literals=2, beam=16)
    assert together.words(predicates)[40] == alone.words(predicates)[0]


def _planted(predicates: Predicates, n_literals: int, rng: torch.Generator) -> Bool[Tensor, " row"]:
    chosen = torch.randperm(predicates.holds.shape[1], generator=rng)[:n_literals]
    signs = torch.rand(n_literals, generator=rng) < 0.5
    return (predicates.holds[:, chosen] ^ signs).all(dim=1)


def test_saved_bits_are_the_difference_of_two_enumerations() -> None:
    n, k, m, t = 12, 5, 4, 3
    found = saved_bits(torch.tensor(t), torch.tensor(m), n_fires=torch.tensor(k), n_rows=n)

    expected = log2(comb(n, k)) - log2(min(m, k) + 1) - log2(comb(m, t)) - log2(comb(n - m, k - t))
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_a_label_that_says_it_all_saves_all_but_the_count() -> None:
    found = saved_bits(torch.tensor(5), torch.tensor(5), n_fires=torch.tensor(5), n_rows=100)

    assert float(found) == pytest.approx(log2(comb(100, 5)) - log2(6), abs=1e-4)


@pytest.mark.parametrize(("n", "k", "m"), [(12, 4, 4), (14, 3, 6), (10, 5, 1)])
def test_of_all_patterns_no_more_than_two_to_the_minus_b_save_b_bits(n: int, k: int, m: int) -> None:
    said = set(range(m))
    overlap = torch.tensor([len(said & set(pattern)) for pattern in combinations(range(n), k)])
    saved = saved_bits(overlap, torch.full_like(overlap, m), n_fires=torch.full_like(overlap, k), n_rows=n)

    for bits in (0.5, 1.0, 2.0, 4.0, 8.0):
        assert float((saved >= bits).double().mean()) <= 2**-bits
    assert float((2.0 ** saved.double()).mean()) <= 1 + 1e-6  # Kraft's inequality, of which that follows
