"""Jobs done one after another here, or many at a time on the machines of a Ray cluster."""

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Generic, TypeVar

from dtinterp.foundation.errors import UserError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Failed:
    """A job that came to nothing; the others are none the worse."""

    reason: str
    """a sentence"""


@dataclass(frozen=True)
class Finished(Generic[ResultT]):
    """What became of a job."""

    name: str
    outcome: ResultT | Failed


def carry_out(
    work: Callable[[JobT], ResultT],
    jobs: Mapping[str, JobT],
    *,
    ray_address: str | None = None,
    wants_gpu: bool = False,
) -> Iterator[Finished[ResultT]]:
    """Yield what became of each job, in the order in which they end.

    Without an address they run in this process, in their order. `local` starts Ray on the cores of this machine,
    HOST:PORT joins the cluster there; a job takes one core, and goes to and fro as a pickle between machines that trust
    one another. Where jobs want a GPU and the cluster has some, each takes a share of one as well: Ray hides GPUs from
    whoever asks for none. Raises `UserError` where Ray is not installed or no cluster answers.
    """
    if ray_address is None:
        return (Finished(name, _attempted(work, job)) for name, job in jobs.items())
    return _on_ray(work, jobs, ray_address, wants_gpu=wants_gpu)


@contextmanager
def joined(ray_address: str | None) -> Iterator[None]:
    """Hold a Ray cluster while the block runs, so that every `carry_out` in it finds it joined; nothing without one.

    Raises `UserError` where Ray is not installed or no cluster answers.
    """
    if ray_address is None:
        yield
        return
    if find_spec("ray") is None:
        raise UserError("ray_address is given, but Ray is not installed: pip install 'dtinterp[ray]', or leave it out.")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported, and by what it starts
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=ray_address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:  # another version of Ray or Python is a RuntimeError
        raise UserError(
            f"no Ray cluster answers at {ray_address} ({_said(error)}): give local, or the HOST:PORT of one with the "
            "same Ray and Python."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _attempted(work: Callable[[JobT], ResultT], job: JobT) -> ResultT | Failed:
    try:
        return work(job)
    except UserError as mistake:
        return Failed(str(mistake))
    except Exception as error:  # whatever it is, hours of other jobs are worth more
        return Failed(_reason(error))


def _reason(error: Exception) -> str:
    """Return what went wrong; Ray wraps what a worker raised."""
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {_said(cause)}"


def _said(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no reason given")


def gpu_share(resources: Mapping[str, float]) -> float:
    """Return the share of a GPU that a job takes, so that all cores have work: 0 where there is none, 1 at most."""
    n_gpus, n_cores = resources.get("GPU", 0.0), resources.get("CPU", 1.0)
    return min(1.0, math.floor(1e4 * n_gpus / n_cores) / 1e4)  # Ray counts in ten-thousandths


def _on_ray(
    work: Callable[[JobT], ResultT], jobs: Mapping[str, JobT], address: str, *, wants_gpu: bool
) -> Iterator[Finished[ResultT]]:
    with joined(address):
        import ray
        from ray.exceptions import RayError

        share = gpu_share(ray.cluster_resources()) if wants_gpu else 0
        remote = ray.remote(num_cpus=1, num_gpus=share)(_attempted)
        function = ray.put(work)
        under_way = {remote.remote(function, job): name for name, job in jobs.items()}
        while under_way:
            (ended, *_), _ = ray.wait(list(under_way))
            try:
                outcome = ray.get(ended)
            except RayError as error:  # the machine or its process died
                outcome = Failed(_reason(error))
            yield Finished(under_way.pop(ended), outcome)
