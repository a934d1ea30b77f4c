"""No mutated input makes a reader raise anything but one sentence, hang, or take a gibibyte."""

import os
import random
from pathlib import Path

import pytest

from dtinterp.cli import main
from tests.faults.fuzz import CASES, Tally, files_in, fuzzed, judged, laid_out, shares
from tests.faults.mutations import mutated
from tests.faults.readers import Reader, readers

READERS = readers()
N_CASES = int(os.environ.get(CASES, "2040"))
SPOKEN = [reader for reader in READERS if reader.words]
N_SPOKEN = 4
"""Refused inputs of each reader that the command line is given too."""


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_mutated_input_is_refused_in_a_sentence_or_harmless(reader: Reader, tmp_path: Path) -> None:
    tally = fuzzed(reader, shares(N_CASES, READERS)[reader.name], seed=0, work=tmp_path)
    assert tally.n_cases >= N_CASES // len(READERS)
    assert not tally.failures, "\n".join(tally.failures[:10])


@pytest.mark.slow
@pytest.mark.parametrize("reader", SPOKEN, ids=lambda reader: reader.name)
def test_the_command_line_says_the_sentence_and_ends_with_2(
    reader: Reader, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, target = (tmp_path / folder / f"input{reader.ending}" for folder in ("valid", "case"))
    place.parent.mkdir()
    reader.make(place)
    files, rng, refused = files_in(place), random.Random(1), 0
    while refused < N_SPOKEN:
        case, tally = mutated(files, rng), Tally()
        laid_out(case, target, is_folder=place.is_dir())
        judged(tally, case.how, lambda: reader.read(target))
        if tally.outcomes["harmless"]:
            continue
        refused += 1
        out = tmp_path / "out"
        words = [{"PATH": str(target), "OUT": str(out)}.get(word, word) for word in reader.words]
        capsys.readouterr()  # what the input's own making told
        assert main(words) == 2, case.how
        told = capsys.readouterr().err
        assert told.count("\n") == 1, f"{case.how}: {told}"
        assert told.startswith("dtinterp "), f"{case.how}: {told}"
        assert not out.exists(), case.how


def test_what_is_wrong_with_an_answer_is_noticed(tmp_path: Path) -> None:
    def hang(_: Path) -> None:
        while True:
            pass

    def take_memory(_: Path) -> int:
        return len(bytearray(3 * 2**29))

    bad = {
        "a traceback": lambda path: {}[path],
        "an answer of two lines": lambda path: path.read_text() + _refuse("one line\nand another, which is too many"),
        "an endless loop": hang,
        "too much memory": take_memory,
    }
    for name, read in bad.items():
        reader = Reader(name, lambda path: path.write_text("{}"), read, ".json")
        tally = Tally()
        (tmp_path / "input.json").write_text("{}")
        judged(tally, name, lambda: reader.read(tmp_path / "input.json"))  # noqa: B023
        assert tally.outcomes["failed"] == 1, name


def _refuse(sentence: str) -> str:
    from environments.registration import WorldError

    raise WorldError(sentence)
