import torch

from dtinterp.dataset.windows import concatenate
from dtinterp.equivalence.contexts import Contexts
from dtinterp.equivalence.pools import Pool, pool_of
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
