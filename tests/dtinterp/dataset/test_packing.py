import torch

from dtinterp.dataset.packing import distinct, last_slots, pack, unlike
from dtinterp.dataset.windows import Windows, concatenate, window
from dtinterp.model.training.descent import summed_loss
from dtinterp.model.validation import action_loss


def repeated(windows: Windows) -> Windows:
    return concatenate([windows, windows[:5], windows[:2]])


def test_each_distinct_window_appears_once_and_stands_for_its_copies(windows):
    once = distinct(windows)
    again = distinct(repeated(windows))
    assert len(again.windows) == len(once.windows)
    assert int(again.count.sum()) == len(windows) + 7
    for name in ("rtg", "frame_id", "action", "time", "mask"):
        assert torch.equal(getattr(again.windows, name)[again.member], getattr(repeated(windows), name))


def test_windows_that_differ_in_their_return_alone_are_distinct(windows):
    other = Windows(**{**vars(windows), "rtg": windows.rtg + 1e-6 * windows.mask})
    assert len(distinct(concatenate([windows[:1], other[:1]])).windows) == 2


def test_windows_are_alike_where_a_model_sees_the_same(windows):
    known, other = windows[:20], distinct(windows).windows
    said = Windows(**{**vars(known), "action": torch.cat([known.action[:, :-1], known.action[:, -1:] + 1], dim=1)})
    told = Windows(**{**vars(known), "rtg": known.rtg + 1e-6 * known.mask})
    assert not unlike(known, windows).any()
    assert not unlike(said, known).any()
    assert unlike(told, known).all()
    assert int((~unlike(other, known)).sum()) >= len(distinct(known).windows)


def test_packs_hold_every_real_slot_as_often_as_the_windows_do(windows):
    packs = pack(repeated(windows))
    assert sum(int(part.count.sum()) for part in packs) == len(windows) + 7
    assert sum(int((part.windows.mask.sum(1) * part.count).sum()) for part in packs) == int(
        repeated(windows).mask.sum()
    )
    assert [part.windows.n_slots for part in packs] == [5, 10]


def test_a_cut_window_keeps_its_end(windows):
    assert torch.equal(last_slots(windows, 3).frame_id, windows.frame_id[:, -3:])


def test_windows_whose_pads_are_attended_to_keep_them_all(windows):
    (only,) = pack(repeated(windows), cut=False)
    assert only.windows.n_slots == windows.n_slots
    assert int(only.count.sum()) == len(windows) + 7


def test_batches_without_short_windows_are_one_pack(windows):
    (only,) = pack(windows[windows.mask.all(dim=1)])
    assert only.windows.n_slots == windows.n_slots


def test_packing_changes_neither_loss_nor_gradient(model, windows, trajectories, items):
    first = trajectories.first_step[:6]
    batch = concatenate([windows, windows[:9], window(trajectories, torch.cat([first, first, first + 2]))])
    whole = action_loss(model(batch, items), batch)
    packed = summed_loss(model, pack(batch), items, "float32") / batch.mask.sum()
    torch.testing.assert_close(packed, whole, atol=1e-6, rtol=1e-6)
    parameters = list(model.parameters())
    for ours, plain in zip(
        torch.autograd.grad(packed, parameters), torch.autograd.grad(whole, parameters), strict=True
    ):
        torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-4)
