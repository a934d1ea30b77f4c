import multiprocessing
import os
import signal
import threading

import pytest

from dtinterp.foundation.artefacts.locks import forget_below, lock_file, locked, note_written, written_before
from dtinterp.foundation.errors import UserError

FORK = multiprocessing.get_context("fork")


def _hold(path, pipe):
    with locked(path) as lock:
        lock.note("asked", "this")
        note_written(path / "part", "digest")
        pipe.send("held")
        pipe.recv()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock on `out` until it is told, or killed."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=_hold, args=(tmp_path / "out", theirs))
    process.start()
    assert ours.recv() == "held"
    yield process, ours
    ours.send("enough")
    process.join()


def test_what_another_process_writes_is_refused_and_the_process_named(holder, tmp_path):
    process, _ = holder
    sentence = rf"out is being written by another command \(process {process.pid}\): wait"
    with pytest.raises(UserError, match=sentence), locked(tmp_path / "out"):
        pytest.fail("the lock is held")


def test_a_lock_that_was_let_go_leaves_nothing(holder, tmp_path):
    process, pipe = holder
    pipe.send("enough")
    process.join()
    with locked(tmp_path / "out") as lock:
        assert lock.left == {}
    assert list(tmp_path.iterdir()) == []


def test_the_note_of_a_killed_holder_is_found_by_the_next(holder, tmp_path):
    process, _ = holder
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with locked(tmp_path / "out") as lock:
        assert lock.left["asked"] == "this"
        assert written_before(lock) == {str(tmp_path / "out" / "part"): "digest"}
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_is_kept_is_found_by_the_next_until_it_is_forgotten(tmp_path):
    out = tmp_path / "below" / "out"
    with locked(out) as lock:
        lock.note("asked", "this")
        lock.is_kept = True
    with locked(out) as lock:
        assert lock.left["asked"] == "this"
        lock.is_kept = True
    forget_below(tmp_path)
    with locked(out) as lock:
        assert lock.left == {}


def test_a_thread_may_nest_a_lock_and_another_thread_may_not_take_it(tmp_path):
    told = []

    def take():
        try:
            with locked(tmp_path / "out"):
                told.append("taken")
        except UserError as mistake:
            told.append(str(mistake))

    with locked(tmp_path / "out") as outer, locked(tmp_path / "out") as inner:
        assert inner is outer
        other = threading.Thread(target=take)
        other.start()
        other.join()
    assert "being written by another thread" in told[0]
    take()
    assert told[1] == "taken"


def test_folders_that_were_made_for_a_lock_go_with_it_unless_they_are_used(tmp_path):
    with locked(tmp_path / "a" / "b" / "out"):
        assert lock_file(tmp_path / "a" / "b" / "out").exists()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b" / "out"):
        (tmp_path / "a" / "mine").write_text("used")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]


def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path):
    with (
        pytest.raises(UserError, match=r"has 250 bytes, expected a name of at most 200: shorten it"),
        locked(tmp_path / ("n" * 250)),
    ):
        pytest.fail("the name is too long")


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 5000])
def test_a_lock_that_says_nothing_sensible_says_nothing(tmp_path, text):
    lock_file(tmp_path / "out").write_bytes(text)
    with locked(tmp_path / "out") as lock:
        assert lock.left == {}
