import os
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.record import Record, open_record
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, save
from dtinterp.foundation.errors import UserError

CALLED = []


@dataclass(frozen=True)
class Number:
    """What is made."""

    n: Float32[Tensor, ""]


NUMBER = ArtefactKind("number", Number)


@claims_out
def make(number: float, out: Path, *, source: Path | None = None, replace: bool = False) -> Artefact:
    """Make an artefact."""
    del source
    CALLED.append(number)
    return save(out, Number(torch.tensor(number)), parents=(), seed=0, replace=replace)


@pytest.fixture(autouse=True)
def nothing_called():
    CALLED.clear()


def record_in(folder: Path, study: str = "this", *, replace: bool = False) -> Record:
    return open_record(folder / "unfinished.json", study, replace=replace)


def test_a_stage_that_stands_is_not_done_again(tmp_path):
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    record = record_in(tmp_path)
    record.stage("make", make)(1.0, tmp_path / "a")
    record.stage("make", make)(2.0, tmp_path / "b")
    assert CALLED == [1, 2]


def test_a_stage_is_done_again_where_what_it_wrote_is_gone_or_another(tmp_path):
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    make(5.0, tmp_path / "a", replace=True)
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "moved")
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    assert CALLED == [1, 5, 1, 1]


def test_a_stage_is_done_again_where_it_is_asked_something_else_or_an_input_changed(tmp_path):
    source = tmp_path / "source"
    make(7.0, source)
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a", source=source)
    record_in(tmp_path).stage("make", make)(2.0, tmp_path / "a", source=source)
    make(8.0, source, replace=True)
    record_in(tmp_path).stage("make", make)(2.0, tmp_path / "a", source=source)
    assert CALLED == [7, 1, 2, 8, 2]


def test_what_stands_there_from_before_is_refused_in_a_new_study(tmp_path):
    make(1.0, tmp_path / "a")
    with pytest.raises(UserError, match="a exists already"):
        record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    record_in(tmp_path, replace=True).stage("make", make)(1.0, tmp_path / "a")


def test_a_stage_that_was_killed_before_it_was_recorded_is_not_done_again(tmp_path):
    def killed():
        record = record_in(tmp_path)
        with patch("dtinterp.commands.record.write_text", lambda *_: os.kill(os.getpid(), signal.SIGKILL)):
            record.stage("make", make)(1.0, tmp_path / "a")

    process = get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    stood = (tmp_path / "a" / "manifest.json").stat().st_ino
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    assert CALLED == []
    assert (tmp_path / "a" / "manifest.json").stat().st_ino == stood


def test_an_unfinished_study_with_other_settings_is_refused_unless_it_is_to_be_replaced(tmp_path):
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    with pytest.raises(UserError, match="holds an unfinished study with other settings: ask for the same to go on"):
        record_in(tmp_path, "other")
    record_in(tmp_path, "other", replace=True).stage("make", make)(1.0, tmp_path / "a")
    assert CALLED == [1, 1]


def test_a_damaged_record_is_said_to_be_damaged(tmp_path):
    record_in(tmp_path).stage("make", make)(1.0, tmp_path / "a")
    (tmp_path / "unfinished.json").write_text('{"study": ')
    with pytest.raises(UserError, match=r"unfinished.json is damaged: give another --out, or --replace"):
        record_in(tmp_path)
    record_in(tmp_path, replace=True).stage("make", make)(1.0, tmp_path / "a")


def test_a_finished_study_leaves_no_record(tmp_path):
    record = record_in(tmp_path)
    record.stage("make", make)(1.0, tmp_path / "a")
    record.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "log.jsonl"]
