import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.shipped import CHECKOUT, require_shipped, shipped

AGENT = "checkpoints/agents/memory-movable"


def test_the_current_folder_comes_first_then_the_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(AGENT) == CHECKOUT / AGENT
    (tmp_path / AGENT).mkdir(parents=True)
    assert str(shipped(AGENT)) == AGENT


def test_what_is_nowhere_is_said_with_what_else_can_be_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dtinterp.foundation.shipped.CHECKOUT", tmp_path / "site-packages")
    assert str(shipped(AGENT)) == AGENT
    with pytest.raises(UserError, match=f"{AGENT} is neither in .* nor beside the package in .*: give --agent, or"):
        require_shipped(shipped(AGENT), option="--agent")
    require_shipped(tmp_path / AGENT, option="--agent")
