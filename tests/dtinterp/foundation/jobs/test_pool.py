import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs import pool
from dtinterp.foundation.jobs.pool import Failed, Finished, carry_out, gpu_share

ROOT = Path(__file__).parents[4]
PATIENCE = 240
"""Seconds after which a process that should have ended is said to hang."""
PROGRAM = """
import os
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.pool import carry_out

def work(job):
    if job == 2:
        raise UserError("two is refused: give another.")
    if job == 3:
        raise ZeroDivisionError("three")
    if job == 4:
        os._exit(7)  # as a machine that dies
    return job * 10, os.getpid() == {here}

for finished in carry_out(work, {{str(job): job for job in range(6)}}, ray_address="local"):
    print(finished.name, finished.outcome)
"""


def ran(program: str) -> list[str]:
    """What a program prints that runs in a process of its own."""
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    command = [sys.executable, "-c", program.format(here=os.getpid())]
    ended = subprocess.run(command, env=paths, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return ended.stdout.splitlines()


def work(job: int) -> int:
    if job == 2:
        raise UserError("two is refused: give another.")
    if job == 3:
        raise ZeroDivisionError("three")
    return job * 10


def test_jobs_are_done_in_their_order_and_one_that_fails_does_not_lose_the_others():
    jobs = {f"job {job}": job for job in range(5)}
    assert list(carry_out(work, jobs)) == [
        Finished("job 0", 0),
        Finished("job 1", 10),
        Finished("job 2", Failed("two is refused: give another.")),
        Finished("job 3", Failed("ZeroDivisionError: three")),
        Finished("job 4", 40),
    ]


def test_each_job_begins_only_when_the_one_before_was_taken():
    begun = []
    finished = carry_out(begun.append, {"first": 1, "second": 2})
    assert begun == []
    assert next(finished) == Finished("first", None)
    assert begun == [1]


def test_ctrl_c_is_no_failure_of_a_job():
    def pressed(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(carry_out(pressed, {"job": 1}))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(pool, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"Ray is not installed: pip install 'dtinterp\[ray\]', or leave it out"):
        list(carry_out(work, {"job": 1}, ray_address="local"))


@pytest.mark.parametrize(
    ("resources", "share"),
    [
        ({"CPU": 8.0}, 0.0),
        ({"CPU": 8.0, "GPU": 1.0}, 0.125),
        ({"CPU": 3.0, "GPU": 1.0}, 0.3333),
        ({"CPU": 4.0, "GPU": 8.0}, 1.0),
        ({}, 0.0),
    ],
)
def test_jobs_share_the_gpus_so_that_every_core_has_one(resources, share):
    assert gpu_share(resources) == share


SHARED = """
import ray
from dtinterp.foundation.jobs.pool import carry_out

def work(_):
    return ray.get_runtime_context().get_assigned_resources()

ray.init(num_cpus=2, num_gpus=1, include_dashboard=False)  # Ray believes it
for wants_gpu in (False, True):
    for finished in carry_out(work, {{"job": 0}}, ray_address="local", wants_gpu=wants_gpu):
        print("taken", sorted(finished.outcome.items()))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_jobs_of_ray_take_a_share_of_a_gpu_where_they_want_one():
    found = [line for line in ran(SHARED) if line.startswith("taken")]
    assert found == ["taken [('CPU', 1.0)]", "taken [('CPU', 1.0), ('GPU', 0.5)]"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_workers_of_ray_do_the_jobs_and_one_that_dies_does_not_lose_the_others():
    found = sorted(line for line in ran(PROGRAM) if line[:1].isdigit())
    assert found[:4] == [
        "0 (0, False)",
        "1 (10, False)",
        "2 Failed(reason='two is refused: give another.')",
        "3 Failed(reason='ZeroDivisionError: three')",
    ]
    assert found[4].startswith("4 Failed(reason='WorkerCrashedError: The worker died unexpectedly")
    assert found[5:] == ["5 (50, False)"]


@pytest.mark.parametrize(("error", "reason"), [(ValueError(), "no reason given"), (ValueError("a\nb"), "a")])
def test_the_reason_of_a_failure_is_one_line(error, reason):
    def fail(_):
        raise error

    (finished,) = carry_out(fail, {"1": 1})
    assert finished.outcome == Failed(f"ValueError: {reason}")


class WrappedError(RuntimeError):
    """As Ray raises it."""

    cause = ModuleNotFoundError("No module named 'dtinterp'")


def test_what_a_worker_raised_is_told_and_not_its_wrapping():
    assert pool._reason(WrappedError("ray::_attempted() (pid=1)")) == "ModuleNotFoundError: No module named 'dtinterp'"
