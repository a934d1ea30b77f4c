import json
import re
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.artefacts import artefact as artefact_module
from dtinterp.foundation.artefacts.artefact import (
    Content,
    drafted,
    read_artefact,
    refuse_existing,
    write_artefact,
)
from dtinterp.foundation.artefacts.growing import GrowingTensor
from dtinterp.foundation.errors import UserError

FILES = ("config.json", "manifest.json", "tensors.safetensors")
CONTENT = Content(
    kind="model",
    config={"width": 3, "names": ["a", "b"], "rate": 0.1},
    tensors={
        "weight": torch.arange(6, dtype=torch.float32).view(2, 3),
        "count": torch.tensor(7),
        "half": torch.tensor([0.5, -1.0], dtype=torch.bfloat16),
        "empty": torch.zeros(0, 4, dtype=torch.int8),
    },
    metrics={"loss": 0.25, "deep": {"n": [1, 2]}, "missing": None},
)
CHANGED = Content("model", {"width": 4}, {"weight": torch.ones(2)}, {"loss": 0.125})


@pytest.fixture
def made(tmp_path):
    return write_artefact(tmp_path / "model", CONTENT, parents=(), seed=3)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_back(made, tmp_path):
    back = read_artefact(tmp_path / "model", kind="model")
    assert dict(back.config) == CONTENT.config
    assert back.tensors.keys() == CONTENT.tensors.keys()
    for name, tensor in CONTENT.tensors.items():
        assert back.tensors[name].dtype == tensor.dtype
        assert torch.equal(back.tensors[name], tensor)
    assert back.manifest == made.manifest
    assert (back.manifest.metrics, back.manifest.seed, back.name) == (CONTENT.metrics, 3, "model")
    assert names_in(tmp_path / "model") == list(FILES)


def test_equal_content_has_an_equal_digest_and_other_content_another(made, tmp_path):
    again = write_artefact(tmp_path / "again", CONTENT, parents=(), seed=3)
    other = write_artefact(tmp_path / "other", CONTENT, parents=(), seed=4)
    assert again.manifest.digest == made.manifest.digest != other.manifest.digest


def test_what_json_has_no_word_for_is_written_as_null(tmp_path):
    metrics = {"loss": float("nan"), "deep": [{"ratio": (float("inf"), 0.5)}], "n": 3}
    back = write_artefact(
        tmp_path / "model", Content("model", {"rate": float("-inf")}, {}, metrics), parents=(), seed=0
    )
    assert back.manifest.metrics == {"loss": None, "deep": [{"ratio": [None, 0.5]}], "n": 3}
    assert back.config == {"rate": None}
    for file in ("config.json", "manifest.json"):
        assert not {"NaN", "Infinity"} & set(re.findall(r"\w+", (tmp_path / "model" / file).read_text()))


def test_views_of_one_memory_are_written_apart(tmp_path):
    whole = torch.arange(6.0)
    content = Content("model", {}, {"whole": whole, "half": whole[:3], "turned": whole.view(2, 3).T}, {})
    back = write_artefact(tmp_path / "model", content, parents=(), seed=0)
    assert torch.equal(back.tensors["half"], whole[:3])
    assert torch.equal(back.tensors["turned"], whole.view(2, 3).T)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_byte_is_noticed(tmp_path, name, place):
    file = tmp_path / "model" / name
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(bytes(data))
    with pytest.raises(UserError, match=f"{name} is damaged .*: restore it, or make"):
        read_artefact(tmp_path / "model", kind="model")


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("config.json", "config.json is missing: restore it"),
        ("tensors.safetensors", "tensors.safetensors is missing: restore it"),
        ("manifest.json", "holds no model"),
    ],
)
def test_a_missing_file_is_named(tmp_path, name, sentence):
    (tmp_path / "model" / name).unlink()
    with pytest.raises(UserError, match=sentence):
        read_artefact(tmp_path / "model", kind="model")


def test_a_missing_artefact_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere holds no model .*: check the path, or make it first"):
        read_artefact(tmp_path / "nowhere", kind="model")


@pytest.mark.usefixtures("made")
def test_another_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match="is of kind model, expected agent"):
        read_artefact(tmp_path / "model", kind="agent")


def test_a_child_is_read_with_its_parent_only(made, tmp_path):
    child = write_artefact(tmp_path / "child", CHANGED, parents=[made], seed=0)
    assert child.manifest.parents == {"model/model": made.manifest.digest}
    assert read_artefact(tmp_path / "child", kind="model", parent=made).manifest == child.manifest
    stranger = write_artefact(tmp_path / "stranger", CONTENT, parents=(), seed=9)
    with pytest.raises(UserError, match=r"child was not made from .*stranger \(it records model/model [0-9a-f]{12}\)"):
        read_artefact(tmp_path / "child", kind="model", parent=stranger)
    with pytest.raises(UserError, match="it records no parent"):
        read_artefact(tmp_path / "stranger", kind="model", parent=made)


def test_parents_of_one_name_are_all_recorded(made, tmp_path):
    namesake = write_artefact(tmp_path / "elsewhere" / "model", CHANGED, parents=(), seed=0)
    child = write_artefact(tmp_path / "child", CHANGED, parents=[made, namesake], seed=0)
    assert set(child.manifest.parents.values()) == {made.manifest.digest, namesake.manifest.digest}


@pytest.mark.usefixtures("made")
def test_nothing_is_overwritten_unasked(tmp_path):
    with pytest.raises(UserError, match="model exists already: give another --out, or --replace"):
        write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0)
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 3


@pytest.mark.usefixtures("made")
def test_replacing_leaves_the_new_artefact_alone_in_its_place(tmp_path):
    write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0, replace=True)
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 4
    assert names_in(tmp_path) == ["model"]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("part", ["save", "seal", "sync", "read_artefact", "put_in_place"])
def test_an_interrupted_write_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, part):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(artefact_module, part, interrupt)
    for name in ("model", "new"):
        with pytest.raises(KeyboardInterrupt):
            write_artefact(tmp_path / name, CHANGED, parents=(), seed=0, replace=True)
    monkeypatch.undo()
    assert names_in(tmp_path) == ["model"]
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 3


@pytest.mark.usefixtures("made")
def test_the_old_artefact_returns_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    rename = Path.rename

    def fail_for_drafts(path, target):
        if target == tmp_path / "model" and not path.name.endswith(".retired"):
            raise OSError("no space")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_drafts)
    with pytest.raises(OSError, match="no space"):
        write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0, replace=True)
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 3
    assert names_in(tmp_path) == ["model"]


@pytest.mark.usefixtures("made")
def test_an_artefact_is_found_where_its_replacement_was_killed_between_two_renames(tmp_path):
    (tmp_path / "model").rename(tmp_path / ".model.retired")
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 3
    with pytest.raises(UserError, match="exists already"):
        refuse_existing(tmp_path / "model", replace=False)
    write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0, replace=True)
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 4
    assert names_in(tmp_path) == ["model"]


@pytest.mark.usefixtures("made")
def test_what_a_killed_replacement_left_does_not_stop_the_next(tmp_path):
    write_artefact(tmp_path / ".model.retired", CONTENT, parents=(), seed=0)
    write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0, replace=True)
    assert read_artefact(tmp_path / "model", kind="model").config["width"] == 4
    assert names_in(tmp_path) == ["model"]


@pytest.mark.usefixtures("made")
def test_a_folder_that_holds_more_than_an_artefact_is_never_replaced(tmp_path):
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"model holds notes.txt, which is no part of an artefact: give another --out"):
        write_artefact(tmp_path / "model", CHANGED, parents=(), seed=0, replace=True)
    with pytest.raises(UserError, match="holds model, which is no part of an artefact"):
        refuse_existing(tmp_path, replace=True)
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_a_file_is_never_replaced_nor_used_as_a_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt, which is no part of an artefact"):
        refuse_existing(tmp_path / "notes.txt", replace=True)
    with pytest.raises(UserError, match=r"cannot be written, since .*notes.txt is no writable folder"):
        refuse_existing(tmp_path / "notes.txt" / "deep" / "model", replace=False)


def test_a_new_folder_below_folders_to_be_made_is_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_existing(Path("a/b/model"), replace=False)
    write_artefact(Path("a/b/model"), CONTENT, parents=(), seed=0)
    assert names_in(tmp_path / "a" / "b") == ["model"]


def test_the_manifest_is_readable_json_that_names_versions(made):
    entries = json.loads((made.path / "manifest.json").read_text())
    assert entries["packages"]["torch"] == torch.__version__
    assert entries["device"] == "cpu"


def test_what_was_grown_in_a_draft_becomes_part_of_the_artefact(tmp_path):
    with drafted(tmp_path / "model") as draft:
        grown = GrowingTensor(draft.folder, "step", torch.int32)
        grown.append(torch.arange(5, dtype=torch.int32))
        grown.close()
        draft.finish(CONTENT, parents=(), seed=3)
    back = read_artefact(tmp_path / "model", kind="model")
    assert back.tensors.keys() == {*CONTENT.tensors, "step"}
    assert torch.equal(back.tensors["step"], torch.arange(5, dtype=torch.int32))
    assert names_in(tmp_path / "model") == sorted([*FILES, "tensors.step.safetensors"])
    assert names_in(tmp_path) == ["model"]
    write_artefact(tmp_path / "model", CHANGED, parents=(), seed=3, replace=True)
    assert names_in(tmp_path / "model") == list(FILES)


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_damaged_shard_is_noticed(tmp_path, damage):
    with drafted(tmp_path / "model") as draft:
        grown = GrowingTensor(draft.folder, "step", torch.int32)
        grown.append(torch.arange(5, dtype=torch.int32))
        grown.close()
        draft.finish(CONTENT, parents=(), seed=3)
    shard = tmp_path / "model" / "tensors.step.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.unlink()
    if damage == "flip":
        shard.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"tensors.step.safetensors is (damaged|missing).*: restore it, or make"):
        read_artefact(tmp_path / "model", kind="model")


def test_a_draft_that_is_not_finished_leaves_nothing(tmp_path):
    with drafted(tmp_path / "model") as draft:
        (draft.folder / "tensors.step.safetensors").write_bytes(b"half")
        assert sorted(Path(name).suffix for name in names_in(tmp_path)) == [".draft", ".lock"]
    assert names_in(tmp_path) == []


@pytest.mark.usefixtures("made")
def test_what_is_written_into_a_tensor_never_reaches_the_file(tmp_path):
    tensor = read_artefact(tmp_path / "model", kind="model").tensors["weight"]
    tensor.fill_(9.0)
    assert torch.equal(read_artefact(tmp_path / "model", kind="model").tensors["weight"], CONTENT.tensors["weight"])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists a process's mappings")
@pytest.mark.usefixtures("made")
def test_tensors_are_mapped_and_not_copied(tmp_path):
    tensors = read_artefact(tmp_path / "model", kind="model").tensors
    file = str(tmp_path / "model" / "tensors.safetensors")
    spans = [
        [int(end, 16) for end in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(file)
    ]
    place = tensors["weight"].data_ptr()
    assert any(begin <= place < end for begin, end in spans)
