import torch

from dtinterp.dictionary.autoencoder import Batch
from dtinterp.dictionary.config import FitConfig, FitProgress
from dtinterp.dictionary.descent import descend, draw
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
