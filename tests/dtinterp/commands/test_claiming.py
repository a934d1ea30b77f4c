"""Commands that are killed, or called twice at once, by a command that is as small as one can be."""

import os
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, refuse_existing, write_artefact
from dtinterp.foundation.artefacts.locks import locked
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.unfinished import begin_log, unfinished_beside

FORK = get_context("fork")
WORKED = []


@dataclass(frozen=True)
class MakeConfig:
    """What is made."""

    number: float = 1.0
    killed: str = ""
    """where the process kills itself, the first time that it is there"""


@claims_out
def make(config: MakeConfig, out: Path, *, source: Path | None = None, replace: bool = False) -> Artefact:
    """Make one artefact."""
    del source
    refuse_existing(out, replace=replace)
    WORKED.append(config.number)
    begin_log(out, fresh=True).write_text("row\n")
    unfinished_beside(out).write_text("state")
    _killed_at(config, "before")
    artefact = write_artefact(out, content(config.number), parents=(), seed=0, replace=replace)
    _killed_at(config, "after")
    begin_log(out, fresh=False).unlink()
    unfinished_beside(out).unlink()
    return artefact


@claims_out
def make_two(config: MakeConfig, out: Path, *, replace: bool = False) -> list[Artefact]:
    """Make two artefacts below a folder."""
    for name in "ab":
        refuse_existing(out / name, replace=replace)
    made = []
    for name in "ab":
        made.append(write_artefact(out / name, content(config.number), parents=(), seed=0, replace=replace))
        _killed_at(config, f"after {name}")
    return made


@claims_out
def make_one_of_several(config: MakeConfig, out: Path, *, replace: bool = False) -> tuple[Artefact, ...]:
    """Make the only one of what may be several, at the folder itself."""
    refuse_existing(out, replace=replace)
    WORKED.append(config.number)
    artefact = write_artefact(out, content(config.number), parents=(), seed=0, replace=replace)
    _killed_at(config, "after")
    return (artefact,)


def content(number: float) -> Content:
    return Content("number", {}, {"number": torch.tensor([number])}, {})


def _killed_at(config: MakeConfig, place: str) -> None:
    if config.killed == place and os.environ.get("KILLABLE"):
        os.kill(os.getpid(), signal.SIGKILL)


def killed(command, *args, **kwargs) -> None:
    """Run a command in a process that kills itself."""

    def work():
        os.environ["KILLABLE"] = "1"
        command(*args, **kwargs)

    process = FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def number_at(out: Path) -> float:
    return float(read_artefact(out, kind="number").tensors["number"])


@pytest.fixture(autouse=True)
def nothing_worked():
    WORKED.clear()


def test_what_was_written_before_the_kill_is_what_the_same_command_makes_and_nothing_else_stays(tmp_path):
    out, config = tmp_path / "out", MakeConfig(killed="after")
    killed(make, config, out)
    assert unfinished_beside(out).exists()
    artefact = make(config, out)
    assert WORKED == []
    assert float(artefact.tensors["number"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.jsonl"]


def test_what_was_not_written_before_the_kill_is_made_by_the_same_command(tmp_path):
    out, config = tmp_path / "out", MakeConfig(killed="before")
    killed(make, config, out)
    make(config, out)
    assert WORKED == [1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_another_command_does_not_take_over_what_a_killed_one_wrote(tmp_path):
    killed(make, MakeConfig(killed="after"), tmp_path / "out")
    with pytest.raises(UserError, match="exists already"):
        make(MakeConfig(number=2, killed="after"), tmp_path / "out")


def test_an_artefact_that_somebody_else_put_there_meanwhile_is_not_taken_over(tmp_path):
    out, config = tmp_path / "out", MakeConfig(killed="before")
    killed(make, config, out)
    lock = next(tmp_path.glob(".out.lock")).read_bytes()
    write_artefact(out, content(7), parents=(), seed=0)
    (tmp_path / ".out.lock").write_bytes(lock)
    with pytest.raises(UserError, match="exists already"):
        make(config, out)
    assert number_at(out) == 7


def test_a_replacement_killed_before_it_wrote_leaves_the_old_one_and_goes_on_when_asked_again(tmp_path):
    out, config = tmp_path / "out", MakeConfig(number=2, killed="before")
    make(MakeConfig(), out)
    killed(make, config, out, replace=True)
    assert number_at(out) == 1
    with pytest.raises(UserError, match="exists already"):
        make(config, out)
    make(config, out, replace=True)
    assert number_at(out) == 2


def test_inputs_that_changed_since_the_kill_are_no_longer_the_same_command(tmp_path):
    source, out, config = tmp_path / "source", tmp_path / "out", MakeConfig(killed="after")
    make(MakeConfig(number=5), source)
    killed(make, config, out, source=source)
    make(MakeConfig(number=6), source, replace=True)
    with pytest.raises(UserError, match="exists already"):
        make(config, out, source=source)


def test_of_several_artefacts_those_that_were_written_do_not_stop_the_rest(tmp_path):
    out, config = tmp_path / "out", MakeConfig(killed="after a")
    killed(make_two, config, out)
    assert [artefact.name for artefact in make_two(config, out)] == ["a", "b"]
    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]
    with pytest.raises(UserError, match="exists already"):
        make_two(config, out)


def test_the_only_one_of_what_may_be_several_is_not_made_again(tmp_path):
    out, config = tmp_path / "out", MakeConfig(killed="after")
    killed(make_one_of_several, config, out)
    stood = (out / "manifest.json").stat().st_ino
    assert [artefact.name for artefact in make_one_of_several(config, out)] == ["out"]
    assert WORKED == []
    assert (out / "manifest.json").stat().st_ino == stood


def test_two_at_once_are_refused_before_any_work(tmp_path):
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_hold, args=(tmp_path / "out", theirs))
    process.start()
    ours.recv()
    with pytest.raises(UserError, match="out is being written by another command"):
        make(MakeConfig(), tmp_path / "out")
    ours.send("enough")
    process.join()
    assert WORKED == []
    make(MakeConfig(), tmp_path / "out")


def _hold(out: Path, pipe) -> None:
    with locked(out):
        pipe.send("held")
        pipe.recv()


def test_only_the_first_process_of_a_training_in_several_holds_the_right(tmp_path, monkeypatch):
    with locked(tmp_path / "elsewhere"):
        monkeypatch.setenv("RANK", "1")
        make(MakeConfig(), tmp_path / "out")
        assert not (tmp_path / ".out.lock").exists()
