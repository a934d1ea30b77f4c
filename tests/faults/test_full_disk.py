"""A writer that finds the disk full, or no place, says so; nothing half-written stays, and what stood there stands."""

import errno
import resource
import signal
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch

from dtinterp.commands.report import Sources, write_sources
from dtinterp.demonstrations.minari.exporting import to_minari
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.equivalence.tables import write_tables
from dtinterp.foundation.artefacts.artefact import Content, drafted, read_artefact, write_artefact
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.artefacts.growing import GrowingTensor
from dtinterp.foundation.artefacts.sealed import write_sealed
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.foundation.jobs.resume import suspend
from dtinterp.foundation.logbook import Logbook
from dtinterp.interventions.experiment.standing import write_result
from dtinterp.interventions.instruction_flip.report import INTERVENTION
from dtinterp.interventions.instruction_flip.result import result_of
from tests.faults.readers import EMBEDDED, STUDY, demonstrations, stack, training

LARGE = torch.arange(20_000)


def write_whole_artefact(path: Path) -> None:
    write_artefact(path, Content("thing", {}, {"numbers": LARGE}, {}), parents=(), seed=0, replace=True)


def grow_artefact(path: Path) -> None:
    with drafted(path, replace=True) as draft:
        with closing(GrowingTensor(draft.folder, "column", torch.int64)) as column:
            for _ in range(10):
                column.append(LARGE)
        draft.finish(Content("thing", {}, {}, {}), parents=(), seed=0)


def write_log(path: Path) -> None:
    log = Logbook(path)
    for step in range(2000):
        log.write(step=step, loss=0.5)


def keep_pieces(path: Path) -> None:
    open_job_cache(path, {"seed": 0}).done("filling", {"one": 1}, lambda _: {"numbers": LARGE})


def write_a_dictionary(path: Path) -> None:
    dictionary = load_dictionary(STUDY / "dictionaries" / EMBEDDED / "topk-128-k8")
    save(path, dictionary, parents=(), seed=0, replace=True)


def export_a_dictionary(path: Path) -> None:
    from dtinterp.commands.data.export import export_saelens

    export_saelens(path, load_dictionary(STUDY / "dictionaries" / EMBEDDED / "topk-128-k8"))


def write_a_result(path: Path) -> None:
    folder = STUDY / "instruction-flip"
    artefact = read_artefact(folder, kind="intervention-report")
    write_result(path, result_of(load(folder, INTERVENTION), artefact), replace=True)


def write_a_study(path: Path) -> None:
    place = Path("checkpoints")
    sources = Sources(place, place, place, (), (), place, place, command="x" * 100_000, seconds={})
    path.mkdir()
    with limited():
        write_sources(path, sources)


WRITERS: Mapping[str, Callable[[Path], object]] = {
    "an artefact": write_whole_artefact,
    "an artefact that grows": grow_artefact,
    "a dictionary": write_a_dictionary,
    "a text": lambda path: write_text(path, "x" * 100_000),
    "sealed tensors": lambda path: write_sealed(path, {"numbers": LARGE}, {}),
    "pieces of work": keep_pieces,
    "a table": lambda path: write_tables(path, {"numbers": pd.DataFrame({"number": LARGE.sqrt().numpy()})}),
    "an export for SAELens": export_a_dictionary,
}
SMALL_WRITERS: Mapping[str, Callable[[Path], object]] = {
    "a suspended training": lambda path: suspend(path, training(), 2),
    "a suspended stack": lambda path: suspend(path, stack(), 1),
    "a result": write_a_result,
}
"""What they write has few bytes."""
FULL_AFTER, FULL_AT_ONCE = 2**14, 64


@contextmanager
def limited(n_bytes: int = FULL_AFTER) -> Iterator[None]:
    """Let no file grow beyond so many bytes: writing on fails as it does on a full disk, with another number."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("name", [*WRITERS, *SMALL_WRITERS])
def test_a_full_disk_leaves_nothing_half_written(name: str, tmp_path: Path) -> None:
    n_bytes, write = (FULL_AFTER, WRITERS[name]) if name in WRITERS else (FULL_AT_ONCE, SMALL_WRITERS[name])
    with limited(n_bytes), pytest.raises((OSError, UserError)) as refused:
        write(tmp_path / "new")
    assert not isinstance(refused.value, OSError) or refused.value.errno in (errno.EFBIG, None)
    left = {file for file in contents(tmp_path) if not file.endswith("identity.json")}
    assert not left, f"{name} left {left}"


@pytest.mark.parametrize("name", [each for each in [*WRITERS, *SMALL_WRITERS] if "export" not in each])
def test_what_stood_there_stands(name: str, tmp_path: Path) -> None:
    n_bytes, write = (FULL_AFTER, WRITERS[name]) if name in WRITERS else (FULL_AT_ONCE, SMALL_WRITERS[name])
    write(tmp_path / "old")
    stood = contents(tmp_path)
    if name == "pieces of work":
        (tmp_path / "old" / "one.safetensors").write_bytes(b"damaged, so it is made again")
        stood = contents(tmp_path)
    with limited(n_bytes), pytest.raises((OSError, UserError)):
        write(tmp_path / "old")
    assert contents(tmp_path) == stood


def test_a_studys_sources_stand(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large"):
        write_a_study(tmp_path / "new")
    assert not contents(tmp_path / "new")


def test_a_log_that_finds_no_room_keeps_whole_rows_but_the_last(tmp_path: Path) -> None:
    with limited(), pytest.raises(OSError, match="too large"):
        write_log(tmp_path / "log.jsonl")
    Logbook(tmp_path / "log.jsonl").rewind(10**6)
    rows = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows
    assert all(row.startswith("{") and row.endswith("}") for row in rows)


def test_an_export_for_minari_asks_for_room_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 itself ends the process where it finds the disk full."""
    pytest.importorskip("minari")
    monkeypatch.setattr("shutil.disk_usage", lambda _: namedtuple("Usage", "free")(2**16))
    with pytest.raises(UserError, match=r"walks-v0 takes up to [\d,]+ bytes, and 65,536 are free there: make room"):
        to_minari(demonstrations(), tmp_path / "root", "walks-v0")
    assert not contents(tmp_path)


@pytest.mark.parametrize("name", [*WRITERS, *SMALL_WRITERS])
@pytest.mark.parametrize("place", ["below a file", "a name of 260 letters", "a zero byte"])
def test_a_place_where_nothing_can_be_is_refused(name: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    places = {"below a file": tmp_path / "file" / "new", "a zero byte": tmp_path / "a\0b"}
    path = places.get(place, tmp_path / ("x" * 260))
    write = WRITERS.get(name) or SMALL_WRITERS[name]
    with pytest.raises((OSError, UserError)):
        write(path)
    assert contents(tmp_path) == {"file": b"a file"}


@pytest.mark.parametrize("name", ["an artefact", "an artefact that grows", "a dictionary"])
def test_a_file_in_the_place_of_a_folder_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match=r"file holds file, which is no part of an artefact: give another --out\."):
        WRITERS[name](tmp_path / "file")
    assert contents(tmp_path) == {"file": b"a file"}


@pytest.mark.parametrize("name", ["a text", "sealed tensors", "a suspended training", "a suspended stack"])
def test_a_folder_in_the_place_of_a_file_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine", encoding="utf-8")
    write = WRITERS.get(name) or SMALL_WRITERS[name]
    with pytest.raises(UserError, match="is a folder, expected the place of a file: move it, or give another path"):
        write(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/mine": b"mine"}
