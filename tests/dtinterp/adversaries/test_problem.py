import pytest
import torch

from dtinterp.adversaries.problem import Tally


def test_no_edits_leave_the_value_as_it_is(problem):
    made = problem()
    nothing = made.values(torch.tensor([[-1, -1], [-1, -1]]))
    torch.testing.assert_close(nothing, torch.full((2,), made.original))


def test_the_order_of_edits_does_not_matter(problem):
    made = problem(edits="frame")
    sets = made.allowed(torch.combinations(torch.arange(170), 2)[::101])
    torch.testing.assert_close(made.values(sets), made.values(sets.flip(1)), atol=1e-5, rtol=1e-5)


def test_a_tally_stops_where_its_budget_is_spent(problem):
    tally = Tally(problem(), left=25)
    singles = torch.arange(40)[:, None]
    assert len(tally.evaluate(singles)) == 25
    assert len(tally.evaluate(singles)) == 0
    assert (tally.total, tally.left) == (25, 0)


def test_a_tally_remembers_what_was_lowest_and_when(problem):
    made = problem()
    singles = torch.arange(40)[:, None]
    values = made.values(singles)
    tally = Tally(made, left=1000)
    for part in singles.split(7):
        tally.evaluate(part)
    assert tally.best[1].edits == (int(values.argmin()),)
    assert tally.n_flipping[1] == int((values < 0).sum())
    numbers, lowest = zip(*tally.curve, strict=True)
    assert list(numbers) == sorted(set(numbers))
    for number, value in tally.curve:
        assert value == pytest.approx(float(values[:number].min()))
    assert lowest[-1] == pytest.approx(float(values.min()))


def test_the_likeliest_of_those_that_flip_is_kept(problem):
    made = problem()
    sets = made.allowed(torch.combinations(torch.arange(40), 2))
    tally = Tally(made, left=100_000)
    for part in sets.split(199):
        tally.evaluate(part)
    flips = made.values(sets) < 0
    assert 0 < flips.sum() < len(sets)
    nats, keeps = made.naturalness.nats(sets), made.naturalness.keeps(sets)
    assert tally.n_keeping[2] == int((flips & keeps).sum())
    assert tally.likeliest[2].nats == pytest.approx(float(nats[flips].max()))
    assert tally.likeliest_keeping[2].nats == pytest.approx(float(nats[flips & keeps].max()))
    assert tally.smallest() == 2
