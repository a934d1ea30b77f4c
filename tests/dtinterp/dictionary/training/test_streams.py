import torch

from dtinterp.dictionary.training.initialization import Batch
from dtinterp.dictionary.training.streams import Stream, beside


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
    assert beside([batch, batch]) is batch


def test_members_may_each_see_their_own() -> None:
    stream = _stream()
    batches = [stream.draw(4) for _ in range(3)]
    both = beside(batches)
    assert both.rows.shape == (3, 4, 8)
    for member, batch in enumerate(batches):
        assert torch.equal(both.of(member).rows, batch.rows)
        torch.testing.assert_close(both.spread[member], batch.spread)
        torch.testing.assert_close(both.mean(both.rows[:, :, 0])[member], batch.mean(batch.rows[:, 0]))
