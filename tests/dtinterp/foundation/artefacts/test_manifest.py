import json
import math
from dataclasses import fields, replace

import pytest

from dtinterp.foundation.artefacts.manifest import (
    CONFIG,
    MANIFEST,
    TENSORS,
    Manifest,
    as_json,
    parse_manifest,
    seal,
    sha256,
)
from dtinterp.foundation.errors import UserError

MADE = Manifest(
    kind="model",
    schema=1,
    files={CONFIG: "c" * 64, TENSORS: "d" * 64},
    parents={"demonstrations/memory": "e" * 64},
    seed=3,
    code="0.1.0",
    packages={"torch": "2.13.0"},
    device="cpu",
    metrics={"success": {"estimate": 0.953, "n": 1000}, "names": ["a", "b"], "missing": None},
)
OTHER = {
    "kind": "agent",
    "schema": 2,
    "files": {CONFIG: "0" * 64, TENSORS: "d" * 64},
    "parents": {},
    "seed": 4,
    "code": "0.2.0",
    "packages": {"torch": "2.12.0"},
    "device": "cuda",
    "metrics": {"success": {"estimate": 0.954, "n": 1000}},
}


def write(folder, entries):
    (folder / MANIFEST).write_bytes(as_json(entries))


def read(folder, *, kind):
    return parse_manifest((folder / MANIFEST).read_bytes(), folder, kinds=(kind,))


def sealed(entries):
    """What somebody would write who knows how manifests are sealed."""
    return {**entries, "digest": sha256(as_json(entries))}


def test_a_sealed_manifest_is_read_back_with_its_digest(tmp_path):
    (tmp_path / MANIFEST).write_bytes(seal(MADE))
    back = read(tmp_path, kind="model")
    assert back == MADE
    assert back.digest == MADE.digest == json.loads(seal(MADE))["digest"]


def test_a_manifest_of_before_with_nan_in_it_is_still_read(tmp_path):
    (tmp_path / MANIFEST).write_bytes(seal(replace(MADE, metrics={"loss": float("nan")})))
    assert b"NaN" in (tmp_path / MANIFEST).read_bytes()
    loss = read(tmp_path, kind="model").metrics["loss"]
    assert isinstance(loss, float)
    assert math.isnan(loss)


@pytest.mark.parametrize("name", [field.name for field in fields(Manifest)])
def test_the_digest_covers_every_field(name):
    assert replace(MADE, **{name: OTHER[name]}).digest != MADE.digest


def test_equal_values_are_equal_bytes_whatever_their_order():
    assert as_json({"b": (1, 2), "a": 0.1}) == as_json({"a": 0.1, "b": [1, 2]})


def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path):
    whole = seal(MADE)
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / MANIFEST).write_bytes(bytes(damaged))
        with pytest.raises(UserError, match=r"is damaged|has schema"):
            read(tmp_path, kind="model")


@pytest.mark.parametrize("text", ["", "[1]", '"model"', "{", "\xff"])
def test_what_is_no_json_object_is_damaged(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"is damaged \(it is no JSON"):
        read(tmp_path, kind="model")


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_schema_is_refused(tmp_path, schema):
    write(tmp_path, sealed({**json.loads(seal(MADE)), "schema": schema}))
    with pytest.raises(UserError, match=f"has schema {schema}, expected 1: make it again with this version"):
        read(tmp_path, kind="model")


def test_another_kind_is_refused(tmp_path):
    (tmp_path / MANIFEST).write_bytes(seal(MADE))
    with pytest.raises(UserError, match=r"is of kind model, expected agent: give the path of one"):
        read(tmp_path, kind="agent")


@pytest.mark.parametrize(
    "change",
    [
        {"files": {CONFIG: "c" * 64, TENSORS: "d" * 64, "../secret": "e" * 64}},
        {"files": {CONFIG: "c" * 64}},
        {"files": ["config.json"]},
        {"files": {CONFIG: 1, TENSORS: "d" * 64}},
        {"parents": None},
        {"parents": ["a"]},
        {"packages": {"torch": 2}},
        {"metrics": [1]},
        {"seed": "0"},
        {"device": None},
        {"extra": 1},
    ],
)
def test_a_manifest_that_names_other_files_or_fields_is_refused_even_when_sealed(tmp_path, change):
    entries = {name: value for name, value in json.loads(seal(MADE)).items() if name != "digest"}
    write(tmp_path, sealed({**entries, **change}))
    with pytest.raises(UserError, match="is damaged"):
        read(tmp_path, kind="model")
