"""Two processes at one artefact: what is read is of one piece, and of two writers one is refused."""

from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, refuse_existing, write_artefact
from dtinterp.foundation.errors import UserError

FORK = get_context("fork")
N_MET = 40
"""Artefacts that are met at one path before it is believed."""
MOST_READS = 20_000


def _write(out: Path, number: int, *, replace: bool) -> Artefact:
    content = Content("number", {"number": number}, {"number": torch.full((1000,), number)}, {"number": number})
    return write_artefact(out, content, parents=(), seed=number, replace=replace)


def _replace_again_and_again(out: Path, stop: Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        _write(out, number, replace=True)


def test_what_is_read_while_it_is_replaced_is_of_one_piece(tmp_path):
    out, stop = tmp_path / "out", FORK.Event()
    _write(out, 0, replace=False)
    writer = FORK.Process(target=_replace_again_and_again, args=(out, stop), daemon=True)
    writer.start()
    met: set[str] = set()
    for _ in range(MOST_READS):
        artefact = read_artefact(out, kind="number")
        said = (artefact.config["number"], artefact.manifest.metrics["number"], artefact.manifest.seed)
        numbers = {str(number) for number in (*said, *artefact.tensors["number"].unique().tolist())}
        assert len(numbers) == 1, "one artefact's config, another one's tensors"
        met |= numbers
        if len(met) > N_MET:
            break
    stop.set()
    writer.join()
    assert writer.exitcode == 0
    assert len(met) > N_MET, "too few of them were met to say anything"


@claims_out
def slow(pipe, out: Path, *, replace: bool = False) -> Artefact:
    """Write an artefact once it is told to."""
    refuse_existing(out, replace=replace)
    pipe.send("at work")
    pipe.recv()
    return _write(out, 1, replace=replace)


@claims_out
def quick(number: int, out: Path, *, replace: bool = False) -> Artefact:
    """Write an artefact at once."""
    return _write(out, number, replace=replace)


def test_the_second_of_two_writers_is_refused_before_it_works_and_the_first_one_ends_well(tmp_path):
    out = tmp_path / "out"
    ours, theirs = FORK.Pipe()
    first = FORK.Process(target=slow, args=(theirs, out))
    first.start()
    assert ours.recv() == "at work"
    refused = 0
    for replace in (False, True):
        try:
            quick(2, out, replace=replace)
        except UserError as mistake:
            refused += "is being written by another command" in str(mistake)
    ours.send("go on")
    first.join()
    assert (first.exitcode, refused) == (0, 2)
    assert read_artefact(out, kind="number").config["number"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
