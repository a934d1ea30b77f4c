import signal

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.model.training import ranks as ranks_module
from dtinterp.model.training.ranks import ALONE, Ranks, joined_ranks

OPENING = """
import os, signal, torch
from dtinterp.model.training.ranks import joined_ranks
with joined_ranks(torch.device("cpu")) as ranks:
"""
TALK = """
    sums = [torch.full((2, 3), 1.0 + ranks.rank), torch.full((4,), 10.0 * ranks.rank)]
    ranks.add_up(sums)
    weights = [torch.full((2,), float(ranks.rank)), torch.full((1, 2), 7.0 - ranks.rank)]
    ranks.take_over(weights)
    agreed = [ranks.agree_on_any(ranks.rank == 2), ranks.agree_on_any(False)]
    print([tensor.tolist() for tensor in (sums if ranks.is_first else []) + weights], agreed)
"""
DEATH = """
    ranks.agree_on_any(False)
    if ranks.rank == {dying}:
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(3):
        ranks.add_up([torch.ones(1000)])
        ranks.take_over([torch.ones(1000)])
"""


def test_one_process_says_nothing_to_anybody():
    tensors = [torch.tensor([1.0, 2.0])]
    with joined_ranks(torch.device("cpu")) as ranks:
        assert ranks == ALONE
        ranks.add_up(tensors)
        ranks.take_over(tensors)
        assert [ranks.agree_on_any(holds) for holds in (True, False)] == [True, False]
    assert tensors[0].tolist() == [1.0, 2.0]
    assert [Ranks(rank, 2).is_first for rank in (0, 1)] == [True, False]


@pytest.mark.slow
def test_rank_0_gets_the_sums_and_the_others_get_its_weights(in_ranks):
    first, *others = in_ranks(OPENING + TALK, 3)
    weights = "[0.0, 0.0], [[7.0, 7.0]]]"
    assert first.stdout == f"[{[[6.0] * 3] * 2}, {[30.0] * 4}, {weights} [True, False]\n"
    assert [other.stdout for other in others] == [f"[{weights} [True, False]\n"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("dying", [0, 1])
def test_a_rank_that_is_killed_takes_the_others_with_it(in_ranks, dying):
    ended = in_ranks(OPENING + DEATH.format(dying=dying), 2)
    left = ended[1 - dying]
    assert ended[dying].returncode == -signal.SIGKILL
    assert left.returncode == 1
    assert f"UserError: rank {1 - dying} of 2 lost another one (" in left.stderr
    assert "give the same command again to go on." in left.stderr


def test_more_processes_than_devices_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"process 2 of this machine finds 1 CUDA devices: give torchrun --nproc-per-"):
        ranks_module._own_device(1)


def test_each_process_has_its_model_on_a_device_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    group = {"init_process_group": None, "get_rank": 1, "get_world_size": 2, "destroy_process_group": None}
    for name, answer in {"is_torchelastic_launched": True, **group}.items():
        monkeypatch.setattr(ranks_module.distributed, name, lambda *_, answer=answer, **__: answer)
    with joined_ranks(torch.device("cuda")) as ranks:
        assert (ranks.rank, ranks.device) == (1, torch.device("cuda", 1))
    assert taken == [1]
