import torch

from dtinterp.demonstrations.frame_table import FactNumbers, FrameNumbers


def test_frames_are_numbered_as_they_appear_and_lower_ids_first():
    numbers = FrameNumbers()
    assert numbers.of(torch.tensor([9, 4, 9])).tolist() == [1, 0, 1]
    assert numbers.of(torch.tensor([2, 9, 30, 4])).tolist() == [2, 1, 3, 0]
    assert numbers.seen.tolist() == [4, 9, 2, 30]


def test_no_frames_have_no_numbers():
    numbers = FrameNumbers()
    assert len(numbers.of(torch.tensor([], dtype=torch.int64))) == len(numbers.seen) == 0


def test_facts_are_found_again_by_their_numbers():
    numbers = FactNumbers(3)
    parts = torch.randint(0, 3, (5, 40, 3), generator=torch.Generator().manual_seed(0)).to(torch.int16).unbind()
    numbered = [numbers.of(part) for part in parts]
    for part, number in zip(parts, numbered, strict=True):
        assert torch.equal(numbers.table[number.long()], part)
    assert len(numbers.table) == len(torch.unique(torch.cat(parts), dim=0))


def test_no_facts_make_an_empty_table():
    numbers = FactNumbers(3)
    assert numbers.table.shape == (0, 3)
    assert len(numbers.of(torch.empty(0, 3, dtype=torch.int16))) == 0
