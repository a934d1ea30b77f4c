import torch
from scipy.stats import binom

from dtinterp.dataset.windows import concatenate, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.contexts import Contexts
from dtinterp.equivalence.swaps.pools import Pool, pool_of
from dtinterp.foundation.seeding import generator


def _left(pool: Pool) -> Contexts:
    assert pool.contexts is not None
    return pool.contexts


def _pool(trajectories, halves, contexts, frame):
    tried = contexts[contexts.frame_id == frame]
    return pool_of(trajectories, halves.held_out, frame, tried=tried, generator=generator(0, "pool"))


def test_a_pool_holds_every_context_that_was_not_tried_and_no_other(trajectories, halves, contexts):
    frame = int(contexts.frame_id.unique()[-1])
    tried = contexts[contexts.frame_id == frame]
    pool = _pool(trajectories, halves, contexts, frame)
    seen = {tuple(row) for row in _left(pool).seen().tolist()}
    assert pool.is_whole
    assert len(seen) == len(pool) > 20
    assert not seen & {tuple(row) for row in tried.seen().tolist()}
    expected = set()
    held_out = set(halves.held_out.tolist())
    for step in (trajectories.frame_id == frame).nonzero().squeeze(1).tolist():
        for future in range(10):
            end = step + future
            if (
                step in held_out
                and end < trajectories.n_steps
                and trajectories.episode[end] == trajectories.episode[step]
            ):
                expected.add((end, 9 - future))
    found = set(zip(_left(pool).windows.step[:, -1].tolist(), _left(pool).slot.tolist(), strict=True))
    assert found <= expected
    assert (_left(pool).frame_id == frame).all()


def test_the_order_is_random_and_repeatable(trajectories, halves, contexts):
    frame = int(contexts.frame_id[0])
    one, again = (_left(_pool(trajectories, halves, contexts, frame)) for _ in range(2))
    assert torch.equal(one.windows.step, again.windows.step)
    ends = one.windows.step[:, -1]
    assert not torch.equal(ends, ends.sort().values)


def _visits_of_one_frame(n_alike, n_others):
    """Return episodes of two steps: most of them alike, the others each with a frame of its own before the last one."""
    n = n_alike + n_others
    return Trajectories(
        env_id="planted",
        max_steps=50,
        frames=torch.zeros(n_others + 2, 7, 7, 3, dtype=torch.uint8),
        frame_id=torch.tensor([[max(0, each - n_alike + 1), n_others + 1] for each in range(n)]).flatten().int(),
        action=torch.zeros(2 * n, dtype=torch.int8),
        reward=torch.zeros(2 * n),
        fact_table=torch.zeros(1, 0, dtype=torch.int16),
        fact_id=torch.zeros(2 * n, dtype=torch.int32),
        length=torch.full((n,), 2, dtype=torch.int32),
        terminated=torch.zeros(n, dtype=torch.bool),
        sampler=torch.zeros(n, dtype=torch.int8),
        fact_names=(),
        samplers=("planted",),
    )


def test_a_context_that_is_met_often_comes_no_earlier_than_one_that_is_met_once():
    n_others, n_pools = 9, 300
    planted = _visits_of_one_frame(n_alike=191, n_others=n_others)
    steps, frame = torch.arange(planted.n_steps), n_others + 1
    elsewhere = Contexts(window(planted, torch.tensor([0]), 10), torch.tensor([9]))
    rng, n_first = generator(0, "pools"), 0
    for _ in range(n_pools):
        pool = _left(pool_of(planted, steps, frame, tried=elsewhere, generator=rng))
        assert len(pool) == n_others + 1
        n_first += int(pool.windows.frame_id[0, -2] == 0)  # the frame of the many episodes that are alike
    low, high = binom.interval(0.999, n_pools, 1 / (n_others + 1))
    assert low <= n_first <= high


def test_where_everything_was_tried_none_is_left(trajectories, halves, contexts):
    frame = int(contexts.frame_id.unique()[-1])
    pool = _pool(trajectories, halves, contexts, frame)
    rest = pool_of(
        trajectories, halves.held_out, frame, tried=_joined(contexts, pool, frame), generator=generator(0, "")
    )
    assert len(rest) == 0
    assert rest.contexts is None
    assert rest.is_whole


def _joined(contexts, pool, frame):
    tried = contexts[contexts.frame_id == frame]
    slots = torch.cat([tried.slot, _left(pool).slot])
    return Contexts(concatenate([tried.windows, _left(pool).windows]), slots)


def test_of_other_episodes_only_what_was_never_seen_is_left(trajectories, halves, contexts):
    frame = int(contexts.frame_id.unique()[-1])
    pool = _pool(trajectories, halves, contexts, frame)
    steps = halves.held_out[: len(halves.held_out) // 2]
    seen = window(trajectories, steps, 10)
    left = pool.unlike(seen)
    assert 0 < len(left) < len(pool)
    assert not left.is_whole
    assert not torch.isin(_left(left).windows.step[:, -1], steps).any()
    assert len(pool.unlike(_left(pool).windows)) == len(left.unlike(_left(pool).windows)) == 0
