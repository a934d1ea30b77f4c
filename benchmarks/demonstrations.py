"""Demonstrations beside the same steps as one-hot pickles and as a Minari dataset: bytes a step, and seconds to load.

    python benchmarks/demonstrations.py                     the table, and benchmarks/results/demonstrations.json
    python benchmarks/demonstrations.py --episodes 1000     a smaller sample for the contenders

Ours are the files of the artefact as they stand on the disk, manifest included. The contenders are really written, on a
sample of whole episodes drawn evenly from all samplers, and their bytes divided by its steps. Nothing is asserted.
"""

import argparse
import json
import pickle  # noqa: TID251 -- the contender is a pickle; nothing here reads one
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import safetensors
import torch

from dtinterp.demonstrations.minari.exporting import to_minari
from dtinterp.demonstrations.minari.format import require_minari
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import read_artefact
from environments.vocabulary import one_hot

ARTEFACT = Path("checkpoints/demonstrations/memory-movable")
OUTPUT = Path(__file__).parent / "results" / "demonstrations.json"
STEPS_AT_ONCE = 4096
AIMS = {"one-hot pickle, float32": 200, "Minari dataset (HDF5)": 5}
"""How many times smaller ours is to be."""


@dataclass(frozen=True)
class Storage:
    """What one way of keeping the steps takes."""

    contender: str
    n_steps: int
    n_episodes: int
    bytes_per_step: float


@dataclass(frozen=True)
class Seconds:
    """How long something takes, over repeats in one process; the files are in the page cache."""

    what: str
    median: float
    fastest: float
    slowest: float


def main() -> None:
    """Measure, print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artefact", type=Path, default=ARTEFACT)
    parser.add_argument("--episodes", type=int, default=4000, help="sample that the contenders store")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    require_minari()
    torch.set_num_threads(1)
    trajectories, _ = load_trajectories(arguments.artefact)
    sample = _evenly(trajectories, arguments.episodes)
    storage = [
        Storage(
            "ours", trajectories.n_steps, trajectories.n_episodes, _size(arguments.artefact) / trajectories.n_steps
        ),
        _stored("one-hot pickle, float32", sample, _pickled(sample, torch.float32)),
        _stored("one-hot pickle, float64", sample, _pickled(sample, torch.float64)),
        _stored("Minari dataset (HDF5)", sample, _exported(sample)),
        _stored("bare arrays of a Minari dataset", sample, _bare_arrays(sample)),
    ]
    seconds = [
        _timed(
            "read the artefact: hash and map",
            lambda: read_artefact(arguments.artefact, kind="demonstrations"),
            arguments.repeats,
        ),
        _timed(
            "load the trajectories: the same, and check the columns",
            lambda: load_trajectories(arguments.artefact),
            arguments.repeats,
        ),
    ]
    _print(storage, seconds)
    _write(arguments.output, storage, seconds)


def _evenly(trajectories: Trajectories, n_episodes: int) -> Trajectories:
    """Return whole episodes at even distances through all of them."""
    chosen = torch.linspace(0, trajectories.n_episodes - 1, min(n_episodes, trajectories.n_episodes)).long().unique()
    is_chosen = torch.isin(torch.arange(trajectories.n_episodes), chosen)[trajectories.episode]
    by_step = {name: getattr(trajectories, name)[is_chosen] for name in ("frame_id", "fact_id", "action", "reward")}
    by_episode = {name: getattr(trajectories, name)[chosen] for name in ("length", "terminated", "sampler")}
    return replace(trajectories, **by_step, **by_episode)


def _stored(contender: str, sample: Trajectories, n_bytes: int) -> Storage:
    return Storage(contender, sample.n_steps, sample.n_episodes, n_bytes / sample.n_steps)


def _pickled(sample: Trajectories, dtype: torch.dtype) -> int:
    """Return the bytes of pickles that hold the steps as arrays: one-hot observation, action, reward, ending."""
    is_last = torch.zeros(sample.n_steps, dtype=torch.bool)
    is_last[sample.first_step + sample.length - 1] = True
    n_bytes = 0
    for steps in torch.arange(sample.n_steps).split(STEPS_AT_ONCE):
        observation = one_hot(sample.frames[sample.frame_id[steps].long()]).to(dtype)
        columns = {
            "observations": observation.numpy(),
            "actions": sample.action[steps].long().numpy(),
            "rewards": sample.reward[steps].numpy(),
            "dones": is_last[steps].numpy(),
        }
        n_bytes += len(pickle.dumps(columns, protocol=pickle.HIGHEST_PROTOCOL))
    return n_bytes


def _exported(sample: Trajectories) -> int:
    """Return the bytes of the dataset as Minari stores it, without our facts."""
    no_facts = {"fact_table": torch.empty(1, 0, dtype=torch.int16), "fact_id": torch.zeros_like(sample.fact_id)}
    bare = replace(sample, **no_facts, fact_names=())
    with tempfile.TemporaryDirectory() as root:
        return _size(to_minari(bare, Path(root), "sample-v0"))


def _bare_arrays(sample: Trajectories) -> int:
    """Return what the arrays of the dataset would take if a container cost nothing."""
    n_observations = sample.n_steps + sample.n_episodes
    per_step = np.dtype(np.int64).itemsize + np.dtype(np.float64).itemsize + 2 * np.dtype(np.bool_).itemsize
    return n_observations * sample.frames[0].numel() + sample.n_steps * per_step


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _timed(what: str, call: Callable[[], object], n_repeats: int) -> Seconds:
    call()
    measured = []
    for _ in range(n_repeats):
        begin = time.perf_counter()
        call()
        measured.append(time.perf_counter() - begin)
    return Seconds(what, statistics.median(measured), min(measured), max(measured))


def _print(storage: list[Storage], seconds: list[Seconds]) -> None:
    ours = storage[0].bytes_per_step
    print("| kept as | steps | episodes | bytes a step | times ours | aim |")
    print("|---|---:|---:|---:|---:|---:|")
    for each in storage:
        times, aim = each.bytes_per_step / ours, AIMS.get(each.contender, "")
        sizes = f"{each.n_steps:,} | {each.n_episodes:,} | {each.bytes_per_step:,.2f} | {times:,.1f}"
        print(f"| {each.contender} | {sizes} | {aim} |")
    print(f"\n| {storage[0].n_steps:,} steps | median (s) | fastest | slowest |\n|---|---:|---:|---:|")
    for each in seconds:
        print(f"| {each.what} | {each.median:.3f} | {each.fastest:.3f} | {each.slowest:.3f} |")


def _write(output: Path, storage: list[Storage], seconds: list[Seconds]) -> None:
    ours = storage[0].bytes_per_step
    names = [field.name for field in fields(Storage)]
    result = {
        "storage": [
            {**{name: getattr(each, name) for name in names}, "times_ours": each.bytes_per_step / ours}
            for each in storage
        ],
        "aims": AIMS,
        "seconds": [asdict(each) for each in seconds],
        "machine": {"processor": platform.machine(), "system": platform.platform()},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "safetensors": safetensors.__version__,
        },
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
