from collections import Counter

import pytest
import torch

from dtinterp.dataset.split import Split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.foundation.errors import UserError


def test_the_most_visited_frames_of_the_side_are_chosen(trajectories: Trajectories, halves: Split) -> None:
    chosen = most_visited(trajectories, halves.held_out, 10)
    visits = Counter(trajectories.frame_id[halves.held_out].tolist())
    assert chosen.n_visits.tolist() == [count for _, count in visits.most_common(10)]
    assert [visits[frame] for frame in chosen.frame_id.tolist()] == chosen.n_visits.tolist()
    assert chosen.n_distinct == len(visits)


def test_coverage_is_the_share_of_steps_that_show_a_chosen_frame(trajectories: Trajectories, halves: Split) -> None:
    chosen = most_visited(trajectories, halves.held_out, 10)
    shown = [frame in chosen.frame_id.tolist() for frame in trajectories.frame_id[halves.held_out].tolist()]
    assert chosen.coverage == sum(shown) / len(shown)
    assert 0 < chosen.coverage < 1


def test_all_frames_are_chosen_where_there_are_no_more(trajectories: Trajectories, halves: Split) -> None:
    chosen = most_visited(trajectories, halves.held_out, 10_000)
    assert sorted(chosen.frame_id.tolist()) == trajectories.frame_id[halves.held_out].unique().tolist()
    assert chosen.coverage == 1


def test_of_equally_visited_frames_the_first_in_the_table_is_taken(trajectories: Trajectories) -> None:
    once = torch.tensor([(trajectories.frame_id == frame).nonzero()[0, 0].item() for frame in (5, 3, 8)])
    assert most_visited(trajectories, once, 2).frame_id.tolist() == [3, 5]


def test_a_side_without_steps_is_refused(trajectories: Trajectories) -> None:
    with pytest.raises(UserError, match="no steps, so no observation can be chosen: hold out a larger share"):
        most_visited(trajectories, torch.tensor([], dtype=torch.int64), 10)
