from dataclasses import replace

import numpy as np
import pytest
import torch

from dtinterp.equivalence.classes.probing import classes_of_pairs, close_pairs, largest_move, raised, responses
from dtinterp.equivalence.partition import classes
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps.divergence import js_divergence
from dtinterp.foundation.jobs.job_cache import JobCache
from dtinterp.foundation.seeding import generator

N = 120


@pytest.fixture(scope="module")
def logits():
    """Frames in a dozen loose groups, so that many pairs are close, many far, and many just between."""
    random = generator(0, "logits")
    centres = torch.randn(12, 5, 7, generator=random)
    return centres[torch.randint(12, (N,), generator=random)] + 0.35 * torch.randn(N, 5, 7, generator=random)


def _every_pair(logits):
    first, second = torch.triu_indices(N, N, 1)
    return first, second, js_divergence(logits[first], logits[second]).max(1).values


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.05, 0.2, 1.0])
def test_no_close_pair_is_lost_and_no_other_is_kept(logits, epsilon):
    first, second, apart = _every_pair(logits)
    near = apart <= epsilon
    found = close_pairs(logits, epsilon)
    expected = set(zip(first[near].tolist(), second[near].tolist(), strict=True))
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected
    assert found.n_looked_at <= N * (N - 1) // 2
    np.testing.assert_allclose(found.maximum, apart[near].numpy(), atol=1e-12)


def test_most_pairs_are_never_looked_at(logits):
    found = close_pairs(logits, 0.02)
    assert 0 < len(found) <= found.n_looked_at < 0.3 * N * (N - 1) / 2


def test_no_action_moves_more_than_the_bound_allows():
    random = generator(1, "pairs")
    one, other = 3 * torch.randn(2, 20_000, 7, generator=random)
    close = one + 0.3 * torch.randn(20_000, 7, generator=random)
    for a, b in ((one, other), (one, close)):
        moved = (a.softmax(-1) - b.softmax(-1)).abs().amax(1)
        bound = torch.tensor([largest_move(float(epsilon)) for epsilon in js_divergence(a, b)[:500]])
        assert (moved[:500] <= bound + 1e-6).all()
    coin = torch.tensor([[0.6, 0.4], [0.4, 0.6]]).log()
    assert largest_move(float(js_divergence(coin[0], coin[1]))) == pytest.approx(0.2, abs=1e-5)  # the bound is met
    assert largest_move(0.05) == pytest.approx(0.262, abs=1e-3)
    assert (largest_move(0.0), largest_move(1.0)) == (pytest.approx(0, abs=1e-6), pytest.approx(1))


@pytest.mark.parametrize("epsilon", [0.03, 0.07, 0.15, 0.4])
def test_classes_of_close_pairs_are_those_of_the_whole_table(logits, epsilon):
    first, second, apart = _every_pair(logits)
    table = torch.zeros(N, N)
    table[first, second] = table[second, first] = apart.float()
    whole = classes(Relation(table, table, torch.ones(N, N).long(), torch.arange(N), "all"), epsilon)
    found = classes_of_pairs(close_pairs(logits, epsilon), epsilon)
    assert torch.equal(found.label, whole.label)
    assert 1 < found.n_classes < N


def test_a_counterexample_splits_a_class(logits):
    pairs = close_pairs(logits, 0.1)
    before = classes_of_pairs(pairs, 0.1)
    label = int((before.sizes > 1).nonzero()[0])
    one, other = before.members(label)[:2]
    found = raised(pairs, other[None], one[None], torch.tensor([0.5]))
    after = classes_of_pairs(found, 0.1)
    assert after.label[one] != after.label[other]
    assert found.maximum.max() == 0.5
    assert len(found) == len(pairs)


def test_swaps_raise_the_pairs_they_are_about_and_no_others(logits):
    """In either order of the two frames, to the largest that was found, and never down."""
    pairs = close_pairs(logits, 0.1)
    rows = torch.arange(0, len(pairs), 3)
    peaks = torch.rand(2, len(rows), generator=generator(2, "peaks"))
    one, other = torch.from_numpy(pairs.first)[rows], torch.from_numpy(pairs.second)[rows]
    found = raised(pairs, torch.cat([one, other]), torch.cat([other, one]), peaks.flatten())
    expected = pairs.maximum.copy()
    for row, peak in zip(rows.tolist(), peaks.amax(0).tolist(), strict=True):
        expected[row] = max(expected[row], peak)
    assert (found.maximum > pairs.maximum).sum() > 20
    assert found.maximum.tolist() == expected.tolist()


def test_responses_are_the_logits_of_each_frame_in_each_probe(model, contexts, items):
    probes, frames = contexts[::9], torch.arange(8)
    found = responses(model, probes, items=items, frame_id=frames, cache=JobCache())
    column = 0
    for index in range(len(probes)):
        windows, slot = probes.windows[index : index + 1], int(probes.slot[index])
        for frame in (0, 7):
            swapped = replace(windows, frame_id=windows.frame_id.clone())
            swapped.frame_id[0, slot] = frame
            expected = model(swapped, items)[0, slot:]
            width = len(expected)
            torch.testing.assert_close(found[frame, column : column + width], expected, atol=1e-4, rtol=1e-4)
        column += width
    assert column == found.shape[1]


def test_what_the_ledger_has_is_not_computed_again(model, contexts, items, tmp_path):
    frames = torch.arange(8)
    first = responses(model, contexts[:3], items=items, frame_id=frames, cache=JobCache(tmp_path))
    with torch.no_grad():
        before = model.W_U.clone()
        model.W_U.zero_()
    again = responses(model, contexts[:3], items=items, frame_id=frames, cache=JobCache(tmp_path))
    with torch.no_grad():
        model.W_U.copy_(before)
    assert torch.equal(first, again)
