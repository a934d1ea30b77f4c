"""A table of rows on disk becomes distinct rows, in parts and all at once: processor time, and memory beside the file.

    python benchmarks/distinct_rows.py               benchmarks/results/distinct_rows.json
    python benchmarks/distinct_rows.py --quick       a tenth of the rows

The table is like those that `--rows` of `dtinterp fit-dictionary` reads: a safetensors file, mapped. Each way has a
process of its own, on one thread. Its memory is the most that it ever held, less what it held before it opened the
file, less the file, all of whose pages are then in memory. All at once is the same function with one part as large as
the table, which is what it did before it took parts. Nothing is asserted.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file

from dtinterp.dictionary.rows import distinct
from dtinterp.foundation.artefacts.growing import GrowingTensor

N_ROWS, N_DISTINCT, D_MODEL = 1_600_000, 20_000, 256
OUTPUT = Path(__file__).parent / "results" / "distinct_rows.json"
NAME = "value"
Found = TypeVar("Found")


@dataclass(frozen=True)
class Measured:
    """One way of finding distinct rows."""

    seconds: float
    """of processor time, on one thread"""
    gigabytes: float
    """beside the file"""
    n_distinct: int


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    n_rows = N_ROWS // 10 if arguments.quick else N_ROWS
    with tempfile.TemporaryDirectory() as folder:
        file = _apart(_write_table, Path(folder), n_rows)
        ways = {"in parts": distinct.PART, "all at once": n_rows}
        found = {name: _apart(_measured, file, part) for name, part in ways.items()}
        file_bytes = file.stat().st_size
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "threads": 1},
        "torch": torch.__version__,
        "rows": n_rows,
        "d_model": D_MODEL,
        "distinct": N_DISTINCT,
        "file_gigabytes": file_bytes / 1e9,
        "ways": {name: asdict(each) for name, each in found.items()},
    }
    print(f"{n_rows:,} rows of length {D_MODEL}, {N_DISTINCT:,} of them distinct ({file_bytes / 1e9:.1f} GB):\n")
    print("| | processor time | memory beside the file | found |\n|---|---:|---:|---:|")
    for name, each in found.items():
        print(f"| {name} | {each.seconds:.1f} s | {each.gigabytes:.2f} GB | {each.n_distinct:,} |")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _write_table(folder: Path, n_rows: int) -> Path:
    """Write rows drawn from `N_DISTINCT` random ones."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(N_DISTINCT, D_MODEL, generator=generator)
    with closing(GrowingTensor(folder, NAME, torch.float32, width=D_MODEL)) as grown:
        for chosen in torch.randint(N_DISTINCT, (n_rows,), generator=generator).split(distinct.PART):
            grown.append(table[chosen])
    return grown.file


def _apart(call: Callable[[Path, int], Found], place: Path, n: int) -> Found:
    """Call it in a process of its own. What starts it stays small: a new process may begin with its parent's peak."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, (place, n))


def _measured(file: Path, part: int) -> Measured:
    """Find the distinct rows of the file, looking at `part` of them at a time."""
    torch.set_num_threads(1)
    distinct.PART = part
    before, begin = _peak(), time.process_time()
    rows = load_file(file)[NAME]
    found = distinct.distinct_rows(rows)
    seconds = time.process_time() - begin
    return Measured(seconds, (_peak() - before - file.stat().st_size) / 1e9, len(found.value))


def _peak() -> int:
    """Return the most bytes that this process ever held in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
