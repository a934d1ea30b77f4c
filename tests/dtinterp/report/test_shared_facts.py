import torch

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.table import FactValue
from dtinterp.report.shared_facts import in_plain_words, shared_facts


def test_shared_facts_are_those_that_a_slow_loop_finds(trajectories: Trajectories) -> None:
    for frames in ([0], [0, 1], [2, 5, 7]):
        visits = [step for step in range(trajectories.n_steps) if int(trajectories.frame_id[step]) in frames]
        expected = []
        for column, name in enumerate(trajectories.fact_names):
            values = {int(trajectories.facts[step, column]) for step in visits}
            if len(values) == 1:
                expected.append(FactValue(name, values.pop()))
        assert shared_facts(trajectories, torch.tensor(frames)) == tuple(expected)


def test_more_frames_never_share_more_facts(trajectories: Trajectories) -> None:
    few = shared_facts(trajectories, torch.tensor([0]))
    many = shared_facts(trajectories, torch.tensor([0, 1, 2, 3]))
    assert set(many) <= set(few)


def test_frames_that_no_step_shows_share_nothing(trajectories: Trajectories) -> None:
    assert shared_facts(trajectories, torch.tensor([], dtype=torch.int64)) == ()


def test_facts_are_told_in_plain_words() -> None:
    assert in_plain_words(FactValue("correct_turn", 0)) == "correct turn = left"
