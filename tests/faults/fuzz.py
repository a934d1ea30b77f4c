"""Readers meet mutated inputs: what they answer, and whether that is an answer.

Run as a program it takes a number of cases and says how each reader fared:

    DTINTERP_FUZZ_CASES=20000 python -m tests.faults.fuzz
"""

import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtinterp.foundation.errors import UserError
from environments.registration import WorldError
from tests.faults.mutations import Files, Mutated, mutated
from tests.faults.readers import Reader, readers

MOST_SECONDS, MOST_WAITING = 5.0, 20.0
"""Of computing, and of waiting, such as for a pipe that nobody writes."""
MOST_BYTES = 2**30
"""Of memory beyond what was in use before."""
LONGEST = 900
"""Characters of an answer."""
CASES = "DTINTERP_FUZZ_CASES"


@dataclass
class Tally:
    """What came of the cases of one reader."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    """failures by what was raised where"""

    @property
    def n_cases(self) -> int:
        return sum(self.outcomes.values())


class _Hung(BaseException):
    """A reader takes too long."""


def fuzzed(reader: Reader, n_cases: int, *, seed: int, work: Path) -> Tally:
    """Call a reader on `n_cases` mutations of its input, the same ones for the same seed."""
    rng, tally = random.Random(f"{seed}/{reader.name}"), Tally()
    place = work / "valid" / f"input{reader.ending}"
    place.parent.mkdir(parents=True)
    reader.make(place)
    files = files_in(place)
    reader.read(place)
    for number in range(n_cases):
        case = mutated(files, rng)
        target = work / "case" / f"input{reader.ending}"
        laid_out(case, target, is_folder=place.is_dir())
        judged(tally, f"{reader.name} #{number}, {case.how}", lambda: reader.read(target))  # noqa: B023
    return tally


def judged(tally: Tally, what: str, act: Callable[[], object]) -> None:
    """Call and count what came of it: refused and harmless are answers, all else is a failure."""
    before = _bytes_in_use()
    try:
        with warnings.catch_warnings(), _watched():
            warnings.simplefilter("ignore")
            act()
    except (UserError, WorldError) as answer:
        text = str(answer)
        is_answer = text.isprintable() and 20 < len(text) <= LONGEST
        _count(
            tally, "refused" if is_answer else "failed", what, f"an answer of {len(text)} characters: {text[:300]!r}"
        )
    except (Exception, _Hung) as error:
        _count(tally, "failed", what, _where(error))
    else:
        _count(tally, "harmless", what, "")
    taken = _peak() - before
    if taken > MOST_BYTES:
        _count(tally, "failed", what, f"{taken:,} bytes of memory")


def files_in(path: Path) -> Files:
    """Return the content of a file or folder."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def laid_out(case: Mutated, target: Path, *, is_folder: bool) -> None:
    """Write what a case holds to a path, and nothing else beside it."""
    shutil.rmtree(target.parent, ignore_errors=True)
    root = target if is_folder else target.parent
    root.mkdir(parents=True)
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    if case.special is not None:
        (root / case.at).parent.mkdir(parents=True, exist_ok=True)
        case.special(root / case.at)


def shares(n_cases: int, among: Sequence[Reader]) -> dict[str, int]:
    """Return how many cases each reader gets: equally many, and at least one."""
    return {reader.name: max(1, -(-n_cases // len(among))) for reader in among}


def _count(tally: Tally, outcome: str, what: str, why: str) -> None:
    tally.outcomes[outcome] += 1
    if outcome == "failed":
        tally.failures.append(f"{what}: {why}")
        tally.kinds[why[:120]] += 1


def _where(error: BaseException) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" not in frame.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} in {place}: {str(error)[:200]}"


@contextmanager
def _watched() -> Iterator[None]:
    """Raise `_Hung` in whoever computes or waits too long, and keep memory below what a machine has."""

    def stop(*_: Any) -> None:
        raise _Hung("too long")

    before = [(number, signal.signal(number, stop)) for number in (signal.SIGALRM, signal.SIGVTALRM)]
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_bytes_mapped() + 4 * MOST_BYTES, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, MOST_WAITING)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        for number, handler in before:
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _bytes_in_use() -> int:
    """Return what is in use, and begin to watch for the peak anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _bytes_mapped() -> int:
    return _status("VmSize")


def main() -> int:
    """Fuzz all readers, or those named, and print a table."""
    names = sys.argv[1:]
    chosen = [reader for reader in readers() if not names or reader.name in names]
    number = int(os.environ.get(CASES, "20000"))
    total = Tally()
    print("| reader | cases | refused | harmless | failed |\n|---|---|---|---|---|", flush=True)  # noqa: T201
    for reader in chosen:
        with tempfile.TemporaryDirectory() as folder:
            tally = fuzzed(reader, shares(number, chosen)[reader.name], seed=0, work=Path(folder))
        print(_row(reader.name, tally), flush=True)  # noqa: T201
        for kind, count in tally.kinds.most_common(8):
            print(f"    {count} x {kind}", file=sys.stderr, flush=True)  # noqa: T201
        for failure in tally.failures[:3]:
            print(f"      e.g. {failure[:400]}", file=sys.stderr, flush=True)  # noqa: T201
        total.outcomes += tally.outcomes
    print(_row("all", total))  # noqa: T201
    return 1 if total.outcomes["failed"] else 0


def _row(name: str, tally: Tally) -> str:
    counts = " | ".join(f"{tally.outcomes[outcome]:,}" for outcome in ("refused", "harmless", "failed"))
    return f"| {name} | {tally.n_cases:,} | {counts} |"


if __name__ == "__main__":
    sys.exit(main())
