from dataclasses import replace

import pytest
import torch
from jaxtyping import Int64
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.contexts import Contexts, draw_contexts
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator


def _draw(
    trajectories: Trajectories, steps: Int64[Tensor, " side"], frames: list[int], n_contexts: int, seed: int = 0
) -> Contexts:
    return draw_contexts(
        trajectories,
        steps,
        frame_id=torch.tensor(frames),
        n_contexts=n_contexts,
        n_slots=10,
        generator=generator(seed, "contexts"),
    )


def _episode(frames: list[int], actions: list[int], table: Trajectories) -> Trajectories:
    """One episode that shows these frames."""
    n = len(frames)
    return replace(
        table,
        frame_id=torch.tensor(frames, dtype=torch.int32),
        action=torch.tensor(actions, dtype=torch.int8),
        reward=torch.zeros(n),
        fact_id=table.fact_id[:n],
        length=torch.tensor([n], dtype=torch.int32),
        terminated=torch.tensor([False]),
        sampler=torch.tensor([0], dtype=torch.int8),
    )


def test_contexts_are_real_windows_of_the_held_out_side(
    trajectories: Trajectories, halves: Split, contexts: Contexts
) -> None:
    again = window(trajectories, contexts.windows.step[:, -1], 10)
    assert torch.equal(contexts.windows.frame_id, again.frame_id)
    assert torch.equal(contexts.windows.rtg, again.rtg)
    assert torch.isin(contexts.windows.step[contexts.windows.mask], halves.held_out).all()


def test_each_chosen_frame_stands_at_the_slot_of_its_contexts(
    trajectories: Trajectories, halves: Split, contexts: Contexts
) -> None:
    chosen = most_visited(trajectories, halves.held_out, 12).frame_id
    assert torch.equal(contexts.frame_id, chosen.repeat_interleave(4))
    steps = contexts.windows.step.gather(1, contexts.slot[:, None]).squeeze(1)
    assert torch.equal(trajectories.frame_id[steps].long(), contexts.frame_id)


def test_the_contexts_of_a_frame_look_from_no_future_to_the_longest(trajectories: Trajectories, halves: Split) -> None:
    frame = int(most_visited(trajectories, halves.held_out, 1).frame_id)
    drawn = [_draw(trajectories, halves.held_out, [frame], 5, seed) for seed in range(20)]
    futures = torch.stack([9 - contexts.slot for contexts in drawn])  # draw context
    assert torch.equal(futures // 2, torch.arange(5).expand(20, 5))  # two futures in each of five equal parts
    assert futures.unique().tolist() == list(range(10))


def test_where_no_visit_has_that_much_future_the_longest_is_taken(trajectories: Trajectories) -> None:
    short = _episode([1, 2, 3, 4], [0, 0, 0, 0], trajectories)
    contexts = _draw(short, torch.arange(4), [2], 8)
    assert sorted((9 - contexts.slot).tolist()) == [0, 1, 2]


def test_a_frame_seen_once_at_the_end_has_one_context(trajectories: Trajectories) -> None:
    short = _episode([1, 2, 3, 4], [0, 0, 0, 0], trajectories)
    contexts = _draw(short, torch.arange(4), [4, 1], 8)
    assert contexts.frame_id.tolist().count(4) == 1
    assert contexts.slot[0] == 9


def test_no_context_is_drawn_twice(trajectories: Trajectories, halves: Split) -> None:
    contexts = _draw(trajectories, halves.held_out, list(range(20)), 16)
    windows = contexts.windows
    rows = torch.cat([contexts.slot[:, None], windows.frame_id, windows.action[:, :-1], windows.time], dim=1)
    assert len(rows.unique(dim=0)) == len(contexts)


def test_two_visits_in_one_window_are_two_contexts(trajectories: Trajectories) -> None:
    waiting = _episode([2, 2], [6, 6], trajectories)
    contexts = _draw(waiting, torch.arange(2), [2], 8)
    ends = contexts.windows.step[:, -1].tolist()
    assert sorted(zip(ends, contexts.slot.tolist(), strict=True)) == [(0, 9), (1, 8), (1, 9)]


def test_contexts_that_differ_in_the_last_action_only_are_one(trajectories: Trajectories) -> None:
    one, other = (_episode([1, 2], [0, action], trajectories) for action in (0, 3))
    columns = ("frame_id", "action", "reward", "fact_id", "length", "terminated", "sampler")
    both = replace(one, **{name: torch.cat([getattr(one, name), getattr(other, name)]) for name in columns})
    assert len(_draw(both, torch.arange(4), [2], 8)) == 1


def test_the_same_seed_draws_the_same_contexts(trajectories: Trajectories, halves: Split) -> None:
    first, again, other = (_draw(trajectories, halves.held_out, [4, 2], 6, seed) for seed in (0, 0, 1))
    assert torch.equal(first.windows.step, again.windows.step)
    assert not torch.equal(first.windows.step, other.windows.step)


def test_a_frame_that_the_side_never_shows_is_refused(trajectories: Trajectories) -> None:
    short = _episode([1, 2], [0, 0], trajectories)
    with pytest.raises(UserError, match="frame 7 stands at no step of these histories, so it has no contexts"):
        _draw(short, torch.arange(2), [1, 7], 2)


def test_no_contexts_are_refused(contexts: Contexts) -> None:
    with pytest.raises(UserError, match="there are no contexts to swap observations in: draw at least one"):
        contexts[:0]


def test_a_slot_of_padding_is_refused(trajectories: Trajectories) -> None:
    with pytest.raises(UserError, match="a slot that is padding"):
        Contexts(window(trajectories, trajectories.first_step[:1]), torch.tensor([3]))
