import pytest
import torch

from dtinterp.dictionary.autoencoder import Batch
from dtinterp.dictionary.config import FitConfig, FitProgress
from dtinterp.dictionary.descent import Descent, descend, draw
from dtinterp.dictionary.kinds import L1, Kind, TopK


def _batch(n_rows: int = 64, d_model: int = 8) -> Batch:
    rows = torch.randn(n_rows, d_model, generator=torch.Generator().manual_seed(0))
    return Batch(rows, torch.full((n_rows,), 1 / n_rows))


def _descend(kind: Kind, n_steps: int, learning_rate: float = 3e-3) -> tuple[Batch, torch.Tensor, list[FitProgress]]:
    batch, reports = _batch(), []
    parameters = descend(
        batch,
        FitConfig(kind, width=12, n_steps=n_steps, learning_rate=learning_rate),
        generator=torch.Generator().manual_seed(3),
        on_progress=reports.append,
    )
    return batch, parameters.W_dec, reports


def test_small_tables_are_seen_whole_with_their_weights() -> None:
    batch = _batch(10)
    assert draw(batch, batch.weight.double().cumsum(0), 10, torch.Generator()) is batch


def test_rows_are_drawn_in_proportion_to_their_weight() -> None:
    rows = torch.arange(4.0)[:, None]
    weight = torch.tensor([0.1, 0.0, 0.6, 0.3])
    cumulative = weight.double().cumsum(0)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([draw(Batch(rows, weight), cumulative, 3, generator).rows for _ in range(4000)])
    share = torch.bincount(drawn.flatten().long(), minlength=4) / len(drawn)
    assert share[1] == 0
    torch.testing.assert_close(share, weight, rtol=0, atol=0.015)


def test_drawn_rows_weigh_alike() -> None:
    batch = _batch(10)
    drawn = draw(batch, batch.weight.double().cumsum(0), 4, torch.Generator().manual_seed(0))
    assert drawn.rows.shape == (4, 8)
    torch.testing.assert_close(drawn.weight, torch.full((4,), 0.25))


def test_decoder_rows_end_with_norm_one() -> None:
    for kind in (TopK(2), L1(0.1)):
        _, W_dec, _ = _descend(kind, n_steps=20)
        torch.testing.assert_close(W_dec.norm(dim=1), torch.ones(12))


def test_topk_decoder_rows_move_along_the_unit_sphere() -> None:
    descent = Descent.begin(_batch(), FitConfig(TopK(2), width=12, learning_rate=0.1), torch.Generator().manual_seed(3))
    for step in range(1, 4):
        before = descent.parameters.W_dec.detach().clone()
        descent.step(_batch(), step, torch.zeros(12, dtype=torch.int64))
        gradient = descent.parameters.W_dec.grad
        assert gradient is not None
        assert gradient.abs().max() > 0
        torch.testing.assert_close((gradient * before).sum(dim=1), torch.zeros(12), rtol=0, atol=1e-6)
        torch.testing.assert_close(descent.parameters.W_dec.norm(dim=1), torch.ones(12))


def test_l1_decoder_rows_are_free() -> None:
    descent = Descent.begin(_batch(), FitConfig(L1(0.1), width=12, learning_rate=0.1), torch.Generator().manual_seed(3))
    torch.testing.assert_close(descent.parameters.W_dec.norm(dim=1), torch.full((12,), 0.1))
    descent.step(_batch(), 1, torch.zeros(12, dtype=torch.int64))
    assert descent.parameters.W_dec.norm(dim=1).std() > 0.001


def test_the_learning_rate_falls_over_the_last_fifth() -> None:
    config = FitConfig(TopK(2), width=12, n_steps=100, learning_rate=0.01)
    descent = Descent.begin(_batch(), config, torch.Generator().manual_seed(3))
    rates = []
    for step in (1, 80, 91, 100):
        descent.step(_batch(), step, torch.zeros(12, dtype=torch.int64))
        rates.append(descent.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.0005])


def test_the_price_of_activation_rises_at_first() -> None:
    prices = []
    for step in (1, 5, 10, 50):
        config = FitConfig(L1(2.0), width=12, n_steps=100, warmup=0.1)
        descent = Descent.begin(_batch(), config, torch.Generator().manual_seed(3))
        loss = descent.step(_batch(), step, torch.zeros(12, dtype=torch.int64))
        prices.append(float(loss.total.detach() - loss.error))
    assert prices == pytest.approx([0.1 * prices[3], 0.5 * prices[3], prices[3], prices[3]], rel=1e-4)


def test_only_features_that_were_silent_long_enough_pay_the_auxiliary_loss() -> None:
    totals = []
    for silence in (0, 49, 50):
        descent = Descent.begin(_batch(), FitConfig(TopK(2), width=12), torch.Generator().manual_seed(3))
        totals.append(float(descent.step(_batch(), 1, torch.full((12,), silence)).total.detach()))
    assert totals[0] == totals[1] < totals[2]


def test_the_error_falls() -> None:
    for kind in (TopK(4), L1(0.1)):
        reports = _descend(kind, n_steps=200, learning_rate=1e-2)[2]
        assert reports[-1].fvu < 0.6 * reports[0].fvu


def test_progress_counts_to_the_end() -> None:
    reports = _descend(TopK(2), n_steps=250)[2]
    steps = [report.step for report in reports]
    assert steps == sorted(set(steps))
    assert steps[-1] == 250
    assert 100 <= len(steps) <= 126


def test_a_dearer_activation_is_used_less() -> None:
    cheap, dear = (_descend(L1(price), n_steps=300, learning_rate=1e-2)[2][-1].l0 for price in (0.1, 3.0))
    assert dear < 0.8 * cheap
