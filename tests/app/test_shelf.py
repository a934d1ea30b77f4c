import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.catalogue import open_standing, open_study, studies
from app.shelf import MOST_BYTES, Shelf, Shelved, folders, is_as_shelved, shelve
from dtinterp.foundation.artefacts.artefact import Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.manifest import as_json, sha256


def _sealed(**fields: object) -> str:
    return as_json({**fields, "digest": sha256(as_json(fields))}).decode()


FOREIGN: dict[str, tuple[str | bytes, str]] = {
    "of a web app": (json.dumps({"name": "a web app"}), "is no manifest of ours"),
    "a list": ("[]", "is no manifest of ours"),
    "null": ("null", "is no manifest of ours"),
    "parents a list": (_sealed(kind="x", parents=["z"]), "does not say its kind and its parents"),
    "parents null": (_sealed(kind="x", parents=None), "does not say its kind and its parents"),
    "a parent that is a list": (_sealed(kind="x", parents={"model/a": ["z"]}), "does not say its kind and its parents"),
    "kind a number": (_sealed(kind=3, parents={}), "does not say its kind and its parents"),
    "another digest": (json.dumps({"kind": "x", "digest": "y", "parents": {}}), "is damaged"),
    "a digest that is a list": (json.dumps({"kind": "x", "digest": [], "parents": {}}), "is damaged"),
    "truncated": ("{", "is damaged"),
    "empty": ("", "is damaged"),
    "deep": ("[" * 100_000, "is damaged"),
    "deep inside": (_sealed(kind="x", parents={}, metrics=json.loads("[" * 200 + "]" * 200)), "levels"),
    "not UTF-8": (b'{"kind": "\xff\xfe"}', "is damaged"),
    "a number of 5,000 digits": ('{"kind": ' + "9" * 5000 + "}", "is damaged"),
    "huge": (b" " * (MOST_BYTES + 1), "expected at most"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_or_damaged_manifest_costs_its_own_folder_one_sentence(
    small_study: Path, tmp_path: Path, name: str
) -> None:
    content, said = FOREIGN[name]
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    shelf = shelve([small_study, tmp_path])
    assert list(studies(shelf)) == ["novice"]
    (sentence,) = shelf.left_out
    assert str(tmp_path / "odd" / "manifest.json") in sentence
    assert said in sentence


def _folder(file: Path) -> None:
    file.mkdir()


def _dangling(file: Path) -> None:
    file.symlink_to("nowhere")


def _loop(file: Path) -> None:
    file.symlink_to(file.name)


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _unreadable(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")


@pytest.mark.parametrize("make", [_folder, _dangling, _loop, _pipe, _device, _unreadable])
def test_what_is_no_file_that_can_be_read_costs_its_folder_one_sentence(
    small_study: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "odd").mkdir()
    make(tmp_path / "odd" / "manifest.json")
    shelf = shelve([small_study, tmp_path])
    assert list(studies(shelf)) == ["novice"]
    (sentence,) = shelf.left_out
    assert sentence.startswith(str(tmp_path / "odd" / "manifest.json"))


def test_a_study_whose_manifest_is_cut_is_listed_with_its_sentence(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    manifest = tmp_path / "checkpoints" / "equivalence" / "novice" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:100])
    shelf = shelve([tmp_path])
    assert studies(shelf) == {}
    assert [sentence.partition(" is ")[0] for sentence in shelf.left_out] == [str(manifest)]


def test_a_manifest_that_claims_the_digest_of_a_model_does_not_take_its_place(
    small_study: Path, tmp_path: Path
) -> None:
    model = json.loads((small_study / "models" / "novice" / "manifest.json").read_text())
    (tmp_path / "zzz").mkdir()
    (tmp_path / "zzz" / "manifest.json").write_text(json.dumps({**model, "seed": 12345}))
    shelf = shelve([small_study, tmp_path])
    assert studies(shelf)["novice"].model.path == small_study / "models" / "novice"
    assert len(shelf.left_out) == 1


def test_every_artefact_is_shelved_once_in_order_of_path(small_study: Path) -> None:
    shelf = shelve([small_study])
    assert [entry.path for entry in shelf.artefacts] == sorted({entry.path for entry in shelf.artefacts})
    assert {entry.kind for entry in shelf.artefacts} >= {
        "agent",
        "demonstrations",
        "model",
        "dictionary",
        "equivalence",
    }
    assert shelf.left_out == ()


def test_a_root_that_is_an_artefact_itself_is_shelved(small_study: Path) -> None:
    (entry,) = shelve([small_study / "models" / "novice"]).artefacts
    assert entry.kind == "model"


def test_half_written_folders_are_left_out_without_a_word(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study / "models" / "novice", tmp_path / ".novice.draft")
    assert shelve([tmp_path]) == Shelf()


def test_an_artefact_whose_replacement_was_killed_between_two_renames_is_found(
    small_study: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_study / "models" / "novice", tmp_path / ".novice.retired")
    (entry,) = shelve([tmp_path]).artefacts
    assert entry.path == tmp_path / "novice"
    assert read_artefact(entry.path, kind="model").manifest.digest == entry.digest


@pytest.mark.parametrize("name", ["nowhere", "a file", "a link that leads nowhere"])
def test_a_root_that_is_no_folder_is_one_sentence(small_study: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "a file").write_text("x")
    (tmp_path / "a link that leads nowhere").symlink_to("x/y")
    shelf = shelve([tmp_path / name, small_study])
    assert list(studies(shelf)) == ["novice"]
    (sentence,) = shelf.left_out
    assert sentence.startswith(f"{tmp_path / name} ")
    assert "DTINTERP_ARTEFACTS" in sentence


def test_a_folder_that_may_not_be_listed_is_one_sentence(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    listed = os.scandir

    def scandir(path):
        if Path(path) == tmp_path / "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)  # chmod does not keep out root, who runs the tests in containers
    shelf = shelve([tmp_path, small_study])
    assert list(studies(shelf)) == ["novice"]
    assert shelf.left_out == (
        f"{tmp_path / 'closed'} cannot be read (Permission denied): allow it, or move it elsewhere.",
    )


def test_a_restored_file_is_another_state_of_the_same_artefact(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study / "models" / "novice", tmp_path / "novice")
    (before,) = shelve([tmp_path]).artefacts
    shutil.copy(tmp_path / "novice" / "tensors.safetensors", tmp_path / "restored")
    (tmp_path / "restored").rename(tmp_path / "novice" / "tensors.safetensors")
    (after,) = shelve([tmp_path]).artefacts
    assert (before.digest, is_as_shelved(before)) == (after.digest, True)
    assert before.state != after.state


def test_what_was_taken_away_or_replaced_is_not_as_shelved(tmp_path: Path) -> None:
    _write(tmp_path / "a", 0)
    (entry,) = shelve([tmp_path]).artefacts
    _write(tmp_path / "a", 1)
    assert not is_as_shelved(entry)
    shutil.rmtree(tmp_path / "a")
    assert not is_as_shelved(entry)


def _write(path: Path, seed: int) -> None:
    write_artefact(path, Content("x", {"n": seed}, {"t": torch.zeros(3)}, {}), parents=(), seed=seed, replace=True)


def test_scanning_while_an_artefact_is_replaced_always_finds_it(tmp_path: Path) -> None:
    _write(tmp_path / "a", 0)
    is_over = threading.Event()

    def replace() -> None:
        for seed in range(1, 60):
            _write(tmp_path / "a", seed)
        is_over.set()

    writer = threading.Thread(target=replace)
    writer.start()
    n_scans, seen = 0, set()
    while not is_over.is_set():
        shelf = shelve([tmp_path])
        assert shelf.left_out == ()
        (entry,) = shelf.artefacts
        assert isinstance(entry, Shelved)
        assert entry.path == tmp_path / "a"
        seen.add(entry.digest)
        n_scans += 1
    writer.join()
    assert n_scans > 20
    assert len(seen) > 1


def test_a_study_is_opened_while_its_model_is_replaced(small_study: Path, tmp_path: Path) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    model = read_artefact(tmp_path / "checkpoints" / "models" / "novice", kind="model")
    tensors = {name: tensor.clone() for name, tensor in model.tensors.items()}
    demonstrations = read_artefact(tmp_path / "checkpoints" / "demonstrations" / "walks", kind="demonstrations")
    content = Content("model", model.config, tensors, model.manifest.metrics)
    is_over = threading.Event()

    def replace() -> None:
        while not is_over.is_set():
            write_artefact(model.path, content, parents=(demonstrations,), seed=model.manifest.seed, replace=True)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(4):
            opened = open_standing("novice", [tmp_path], open_study)
            assert opened.model.manifest.digest == model.manifest.digest
            assert opened.left_out == ()
    finally:
        is_over.set()
        writer.join()


def test_folders_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTINTERP_ARTEFACTS", os.pathsep.join(["a", "b/c"]))
    assert folders() == (Path("a"), Path("b/c"))


def test_without_a_name_the_current_folder_comes_first_and_the_checkout_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DTINTERP_ARTEFACTS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Path(__file__).parents[2] / "checkpoints" in folders()
    (tmp_path / "results").mkdir()
    assert folders() == (Path("results"),)
