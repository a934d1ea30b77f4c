import torch

from dtinterp.dictionary.rows.batches import Batch, Stream, geometric_median, stacked


def _stream(n_rows: int = 10) -> Stream:
    rows = torch.randn(n_rows, 8, generator=torch.Generator().manual_seed(0))
    return Stream(Batch(rows, torch.full((n_rows,), 1 / n_rows)), torch.Generator().manual_seed(0))


def test_small_tables_are_seen_whole_with_their_weights() -> None:
    stream = _stream()
    assert stream.draw(10) is stream.table


def test_rows_are_drawn_in_proportion_to_their_weight() -> None:
    weight = torch.tensor([0.1, 0.0, 0.6, 0.3])
    stream = Stream(Batch(torch.arange(4.0)[:, None], weight), torch.Generator().manual_seed(0))
    drawn = torch.cat([stream.draw(3).rows for _ in range(4000)])
    share = torch.bincount(drawn.flatten().long(), minlength=4) / len(drawn)
    assert share[1] == 0
    torch.testing.assert_close(share, weight, rtol=0, atol=0.015)


def test_drawn_rows_weigh_alike() -> None:
    drawn = _stream().draw(4)
    assert drawn.rows.shape == (4, 8)
    torch.testing.assert_close(drawn.weight, torch.full((4,), 0.25))


def test_a_batch_that_all_members_see_stays_one_table() -> None:
    batch = _stream().draw(4)
    assert stacked([batch, batch]) is batch


def test_members_may_each_see_their_own() -> None:
    stream = _stream()
    batches = [stream.draw(4) for _ in range(3)]
    both = stacked(batches)
    assert both.rows.shape == (3, 4, 8)
    for member, batch in enumerate(batches):
        assert torch.equal(both.of(member).rows, batch.rows)
        torch.testing.assert_close(both.spread[member], batch.spread)
        torch.testing.assert_close(both.mean(both.rows[:, :, 0])[member], batch.mean(batch.rows[:, 0]))


def test_the_spread_is_the_weighted_variance() -> None:
    weight = torch.rand(30, generator=torch.Generator().manual_seed(1))
    batch = Batch(_stream(30).table.rows, weight / weight.sum())
    mean = sum(float(weight) * row for weight, row in zip(batch.weight, batch.rows, strict=True))
    rows = zip(batch.weight, batch.rows, strict=True)
    expected = sum(float(weight) * float((row - mean).square().sum()) for weight, row in rows)
    torch.testing.assert_close(float(batch.spread), expected, rtol=1e-5, atol=0)


def test_the_geometric_median_ignores_a_far_outlier() -> None:
    rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1000.0, 1000.0]])
    median = geometric_median(Batch(rows, torch.full((5,), 0.2)), n_rounds=200)
    assert (median <= 1.01).all()
    assert rows.mean(dim=0).min() > 200


def test_weights_move_the_geometric_median_like_repetitions() -> None:
    rows = torch.tensor([[0.0, 0.0], [3.0, 1.0], [5.0, -2.0]])
    weighted = geometric_median(Batch(rows, torch.tensor([0.25, 0.25, 0.5])))
    repeated = geometric_median(Batch(rows[[0, 1, 2, 2]], torch.full((4,), 0.25)))
    torch.testing.assert_close(weighted, repeated)


def test_pairs_are_drawn_together() -> None:
    rows = torch.arange(24.0).view(8, 3)
    table = Batch(torch.cat([rows, rows[:, :2] + 100], dim=1), torch.full((8,), 1 / 8), d_in=3)
    drawn = Stream(table, torch.Generator().manual_seed(0)).draw(4)
    for batch in (table, drawn):
        assert torch.equal(batch.read.rows[:, :2] + 100, batch.written.rows)
    both = stacked([drawn, Batch(drawn.rows + 1, drawn.weight, d_in=3)])
    assert torch.equal(both.of(1).written.rows, drawn.written.rows + 1)
