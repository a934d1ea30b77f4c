from typing import get_args

import torch

from dtinterp.adversaries.naturalness import Budget, Reach


def _differing(window, other):
    return int((window != other).any(-1).sum())


def test_costs_of_sets_are_those_of_the_edited_windows(problem, view, cells):
    costs = problem(edits="frame").naturalness
    generator = torch.Generator().manual_seed(0)
    sets = torch.randint(170, (16, 2), generator=generator)
    sets = sets[costs.table.are_apart(sets)]
    time = torch.arange(5)
    before = cells.log_likelihood(view.frames, time).sum()
    for row, window in enumerate(costs.table.edited(sets)):
        one = sets[row : row + 1]
        expected = [_differing(window, other) for other in view.possible]
        assert costs.cells_from_possible(one)[0].tolist() == expected
        shown = sum(min(_differing(frame, other) for other in view.shown[:, None]) for frame in window[:, None])
        assert int(costs.cells_from_shown(one)) == shown
        torch.testing.assert_close(costs.nats(one)[0], cells.log_likelihood(window, time).sum() - before)


def test_the_flipped_instruction_is_possible_and_something_else_is_then_best(problem):
    costs = problem().naturalness
    words = [edit.words for edit in costs.table.edits]
    flipped = torch.tensor([[words.index("replace: green ball for green key at (2,6), in the world")]])
    assert int(costs.cells_from_other(flipped)) == 0
    assert int(costs.cells_from_same(flipped)) == 1
    assert not costs.keeps(flipped)
    decoy = torch.tensor([[words.index("place: green ball for empty at (4,2), in the world")]])
    assert costs.keeps(decoy)
    assert costs.keeps(torch.tensor([[-1]]))


def test_a_budget_keeps_what_it_says(problem, view):
    costs = problem(edits="frame").naturalness
    both = torch.combinations(torch.arange(len(costs.table)), 2)
    shown = {frame.numpy().tobytes() for frame in view.shown}
    windows = {window.numpy().tobytes() for window in view.possible}
    allowed = {reach: costs.allows(both, Budget(2, reach)) for reach in get_args(Reach)}
    assert allowed["any"].sum() > allowed["shown"].sum() > allowed["possible"].sum() > 0
    assert not (allowed["possible"] & ~allowed["shown"]).any()
    for reach, kept in allowed.items():
        some = torch.cat([both[kept][:8], both[~kept & costs.table.are_apart(both)][:8]])
        for row, window in zip(some, costs.table.edited(some), strict=True):
            is_shown = all(frame.numpy().tobytes() in shown for frame in window)
            is_met = {"any": True, "shown": is_shown, "possible": window.numpy().tobytes() in windows}[reach]
            assert bool(costs.allows(row[None], Budget(2, reach))) == is_met
    likely = costs.allows(both, Budget(2, least_log_likelihood=-20.0))
    assert torch.equal(likely, allowed["any"] & (costs.nats(both) >= -20))
    assert 0 < likely.sum() < allowed["any"].sum()
