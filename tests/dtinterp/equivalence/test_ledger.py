import pytest
import torch

from dtinterp.equivalence.ledger import Ledger, open_ledger
from dtinterp.foundation.errors import UserError


def test_a_piece_is_computed_once(tmp_path):
    ledger, calls = open_ledger(tmp_path / "work", {"seed": 0}), []

    def compute():
        calls.append(1)
        return torch.arange(5)

    assert torch.equal(ledger.kept("a", compute), torch.arange(5))
    again = open_ledger(tmp_path / "work", {"seed": 0})
    assert torch.equal(again.kept("a", compute), torch.arange(5))
    assert len(calls) == 1


def test_without_a_folder_nothing_is_kept():
    assert torch.equal(Ledger().kept("a", lambda: torch.ones(2)), torch.ones(2))
    Ledger().close()


def test_other_work_is_refused(tmp_path):
    open_ledger(tmp_path / "work", {"seed": 0})
    with pytest.raises(UserError, match="unfinished work of other settings"):
        open_ledger(tmp_path / "work", {"seed": 1})


def test_a_closed_ledger_is_gone(tmp_path):
    ledger = open_ledger(tmp_path / "work", {"seed": 0})
    ledger.kept("a", lambda: torch.ones(2))
    ledger.close()
    assert not (tmp_path / "work").exists()
