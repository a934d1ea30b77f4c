from typing import Protocol

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary, encode, encode_dense, reconstruct
from dtinterp.dictionary.fit import fit, of_directions
from dtinterp.dictionary.kinds import Kind
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.gated import Gated
from dtinterp.dictionary.kinds.autoencoders.jump_relu import JumpReLU
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.matryoshka import Matryoshka
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.foundation.errors import UserError


class Planted(Protocol):
    """What the fixture of that name offers."""

    directions: Float32[Tensor, "feature d_model"]
    rows: Float32[Tensor, "row d_model"]
    shuffled: Float32[Tensor, "row d_model"]

    def recovery(self, dictionary: Dictionary) -> float: ...


QUICK = {"width": 48, "n_steps": 500, "batch_rows": 256, "learning_rate": 5e-3}
KINDS = [TopK(3), L1(1.0), Pca(7)]
SPARSE = [TopK(3), BatchTopK(3), Matryoshka(3, 2), L1(1.0), JumpReLU(2.0), Gated(2.0)]


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _unexplained(dictionary: Dictionary, rows: Tensor) -> float:
    error = (rows - reconstruct(dictionary, rows)).square().sum()
    return float(error / (rows - rows.mean(dim=0)).square().sum())


@pytest.mark.parametrize("kind", SPARSE, ids=lambda kind: type(kind).__name__)
def test_a_planted_dictionary_is_recovered(kind: Kind, planted: Planted) -> None:
    dictionary = fit(planted.rows, FitConfig(kind, **QUICK), generator=_generator())
    assert planted.recovery(dictionary) > 0.9
    assert _unexplained(dictionary, planted.rows) < 0.15


@pytest.mark.parametrize("kind", SPARSE, ids=lambda kind: type(kind).__name__)
def test_shuffled_rows_recover_no_more_than_random_directions(kind: Kind, planted: Planted) -> None:
    dictionary = fit(planted.shuffled, FitConfig(kind, **QUICK), generator=_generator())
    random = torch.nn.functional.normalize(torch.randn(48, 32, generator=_generator()), dim=1)
    chance = float((planted.directions @ random.T).max(dim=1).values.mean())
    assert abs(planted.recovery(dictionary) - chance) < 0.1


def test_linear_components_do_not_recover_more_directions_than_dimensions(planted: Planted) -> None:
    assert planted.recovery(fit(planted.rows, FitConfig(Pca(32)), generator=_generator())) < 0.6


def test_pca_leaves_the_variance_of_the_dropped_singular_values(planted: Planted) -> None:
    dictionary = fit(planted.rows, FitConfig(Pca(7)), generator=_generator())
    singular = torch.linalg.svdvals((planted.rows - planted.rows.mean(dim=0)).double())
    expected = float(singular[7:].square().sum() / singular.square().sum())
    assert _unexplained(dictionary, planted.rows) == pytest.approx(expected, rel=1e-4)


def test_all_components_reconstruct_every_row(planted: Planted) -> None:
    dictionary = fit(planted.rows, FitConfig(Pca(32)), generator=_generator())
    torch.testing.assert_close(reconstruct(dictionary, planted.rows), planted.rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=["TopK", "L1", "Pca"])
def test_the_same_seed_gives_the_same_bits(kind: Kind, planted: Planted) -> None:
    config = FitConfig(kind, width=20, n_steps=30, batch_rows=64)
    first, second = (fit(planted.rows, config, generator=_generator(4)) for _ in range(2))
    for part in ("W_enc", "b_enc", "W_dec", "b_dec", "scale"):
        assert torch.equal(getattr(first, part), getattr(second, part))


def test_another_seed_gives_another_dictionary(planted: Planted) -> None:
    config = FitConfig(TopK(3), width=20, n_steps=30, batch_rows=64)
    first, second = (fit(planted.rows, config, generator=_generator(seed)) for seed in (4, 5))
    assert not torch.equal(first.W_dec, second.W_dec)


@pytest.mark.parametrize("kind", KINDS, ids=["TopK", "L1", "Pca"])
def test_distinct_rows_with_counts_fit_like_the_repeated_rows(kind: Kind, planted: Planted) -> None:
    table = planted.rows[:60]
    repeated = table[torch.cat([torch.arange(60), torch.randint(60, (240,), generator=_generator())])]
    distinct = distinct_rows(repeated)
    config = FitConfig(kind, width=20, n_steps=25, batch_rows=300)
    from_repetition = fit(repeated, config, generator=_generator())
    from_weights = fit(distinct.value, config, generator=_generator(), weights=distinct.count)
    torch.testing.assert_close(from_weights.scale, from_repetition.scale)
    torch.testing.assert_close(
        reconstruct(from_weights, table), reconstruct(from_repetition, table), rtol=1e-3, atol=1e-3
    )


def test_drawing_by_weight_fits_like_drawing_from_repeated_rows(planted: Planted) -> None:
    table = planted.rows[:2000]
    count = torch.randint(1, 20, (2000,), generator=_generator())
    config = FitConfig(TopK(3), **QUICK)
    from_weights = fit(table, config, generator=_generator(), weights=count)
    from_repetition = fit(table.repeat_interleave(count, dim=0), config, generator=_generator())
    unexplained = [_unexplained(dictionary, table) for dictionary in (from_weights, from_repetition)]
    assert unexplained[0] == pytest.approx(unexplained[1], abs=0.02)


def test_a_row_without_weight_is_not_there(planted: Planted) -> None:
    rows = planted.rows[:100].clone()
    rows[50:] = 1000
    weights = (torch.arange(100) < 50).float()
    config = FitConfig(TopK(3), width=20, n_steps=20, batch_rows=64)
    dictionary = fit(rows, config, generator=_generator(), weights=weights)
    assert float(dictionary.scale) == pytest.approx(float(rows[:50].norm(dim=1).mean() / 32**0.5), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=["TopK", "L1", "Pca"])
def test_the_unit_of_the_rows_does_not_matter(kind: Kind, planted: Planted) -> None:
    config = FitConfig(kind, width=20, n_steps=20, batch_rows=64)
    small = fit(planted.rows, config, generator=_generator())
    large = fit(planted.rows * 1024, config, generator=_generator())
    assert float(large.scale) == pytest.approx(1024 * float(small.scale), rel=1e-6)
    torch.testing.assert_close(
        encode_dense(large, planted.rows * 1024), encode_dense(small, planted.rows), rtol=1e-3, atol=1e-4
    )


def test_normalised_rows_have_a_mean_norm_of_root_d_model(planted: Planted) -> None:
    dictionary = fit(planted.rows, FitConfig(Pca(3)), generator=_generator())
    assert float((planted.rows / dictionary.scale).norm(dim=1).mean()) == pytest.approx(32**0.5, rel=1e-5)


def test_the_auxiliary_loss_revives_silent_features(planted: Planted) -> None:
    loud = torch.nn.functional.normalize(torch.randn(1, 32, generator=_generator()), dim=1)
    rows = planted.rows[:4000] + 15 * torch.randn(4000, 1, generator=_generator(2)) * loud  # it crowds the others out
    share = []
    for silent_steps in (10, 10_000):
        config = FitConfig(TopK(4), 96, 400, 256, learning_rate=5e-3, silent_steps=silent_steps)
        codes = encode(fit(rows, config, generator=_generator()), rows)
        share.append(1 - len(codes.index[codes.value > 0].unique()) / 96)
    assert share[0] < 0.1
    assert share[1] > 0.2


def test_features_of_l1_that_fell_silent_start_anew(planted: Planted) -> None:
    loud = torch.nn.functional.normalize(torch.randn(1, 32, generator=_generator()), dim=1)
    rows = planted.rows[:4000] + 3 * torch.randn(4000, 1, generator=_generator(2)) * loud
    share = []
    for silent_steps in (10, 10_000):
        config = FitConfig(L1(4.0), 256, 400, 256, learning_rate=0.01, warmup=0.0, silent_steps=silent_steps)
        codes = encode(fit(rows, config, generator=_generator()), rows)
        share.append(1 - len(codes.index[codes.value > 0].unique()) / 256)
    assert share[0] < share[1] / 2


def test_a_dictionary_knows_its_site_kind_and_name(planted: Planted) -> None:
    dictionary = fit(planted.rows, FitConfig(Pca(3)), generator=_generator(), site="blocks.0.hook_resid_pre")
    assert (dictionary.site, dictionary.kind, dictionary.name) == ("blocks.0.hook_resid_pre", Pca(3), "pca-3")


def test_progress_is_told(planted: Planted) -> None:
    reports: list[FitProgress] = []
    config = FitConfig(TopK(3), width=20, n_steps=10, batch_rows=64)
    fit(planted.rows, config, generator=_generator(), watch=Watch(reports.append))
    assert [report.step for report in reports] == list(range(1, 11))
    assert all(0 < report.l0 <= 3 for report in reports)
    assert all(report.loss > 0 and report.fvu > 0 and report.rows_per_second > 0 for report in reports)


def test_the_rows_are_left_alone(planted: Planted) -> None:
    before = planted.rows.clone()
    fit(planted.rows, FitConfig(L1(), width=20, n_steps=5), generator=_generator())
    assert torch.equal(planted.rows, before)


def test_rows_with_nan_are_refused() -> None:
    rows = torch.ones(5, 4)
    rows[2, 1] = torch.nan
    with pytest.raises(UserError, match="1 of 5 rows hold NaN or infinity, expected finite numbers"):
        fit(rows, FitConfig(Pca(2)), generator=_generator())


def test_one_distinct_row_is_refused() -> None:
    with pytest.raises(UserError, match="All 5 rows are the same vector, expected at least 2 distinct ones: harvest"):
        fit(torch.ones(5, 4), FitConfig(TopK(2), width=8), generator=_generator())


def test_one_row_with_weight_is_refused() -> None:
    with pytest.raises(UserError, match="All 1 rows are the same vector"):
        fit(torch.eye(4), FitConfig(TopK(2), width=8), generator=_generator(), weights=torch.tensor([0, 3, 0, 0]))


def test_more_components_than_the_rows_have_are_refused() -> None:
    with pytest.raises(UserError, match="Pca has n_components=5, expected at most 4 for 6 rows of length 4"):
        fit(torch.randn(6, 4, generator=_generator()), FitConfig(Pca(5)), generator=_generator())


@pytest.mark.parametrize("weights", [[1.0, -1.0, 1.0, 1.0], [1.0, torch.nan, 1.0, 1.0], [0.0] * 4])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(
        UserError, match=r"There are 4 weights with sum .* expected one finite weight from 0 for each row"
    ):
        fit(torch.eye(4), FitConfig(Pca(2)), generator=_generator(), weights=torch.tensor(weights))


def test_a_weight_for_every_row_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # as outside of tests
    with pytest.raises(UserError, match="There are 3 weights with sum 3 for 4 rows"):
        fit(torch.eye(4), FitConfig(Pca(2)), generator=_generator(), weights=torch.ones(3))


def test_the_planted_directions_themselves_explain_every_row(planted: Planted) -> None:
    dictionary = of_directions(planted.directions, planted.rows, FitConfig(Items(16)), site="here")
    assert dictionary.width == 48
    assert (dictionary.site, dictionary.name) == ("here", "items-k16")
    assert _unexplained(dictionary, planted.rows) < 0.01


def test_directions_of_another_length_are_refused(planted: Planted) -> None:
    with pytest.raises(UserError, match="The directions have length 5, the rows 32: give both from one site"):
        of_directions(torch.eye(5), planted.rows, FitConfig(Items(2)))


def test_only_items_are_given(planted: Planted) -> None:
    with pytest.raises(UserError, match="The kind is TopK, expected Items: `fit` finds the others"):
        of_directions(planted.directions, planted.rows, FitConfig(TopK(2)))
