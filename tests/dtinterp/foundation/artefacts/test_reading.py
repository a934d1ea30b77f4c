import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dtinterp.foundation.artefacts.reading import (
    DEPTH,
    opened,
    parse_json,
    read_array,
    read_bytes,
    read_json,
    read_tensors,
    read_text,
    tensors_of,
)
from dtinterp.foundation.errors import UserError


def test_what_is_larger_than_expected_is_not_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no space, and would take a tebibyte of memory
    with pytest.raises(UserError, match=r"large has 1,099,511,627,776 bytes, expected at most 10: give a smaller file"):
        read_bytes(tmp_path / "large", at_most=10)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match="is no regular file"):
            read_bytes(path)
    with pytest.raises(UserError, match="nothing is missing: check the path"):
        read_bytes(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "{", "[1,", "\x00", "[" * 100_000, "1" * 10_000, '{"a": ' * 3000])
def test_what_is_no_json_is_said_to_be_none(text):
    with pytest.raises(UserError, match=r"the note is damaged \(it is no JSON\)|has more than 64 levels"):
        parse_json(text, "the note")


def test_json_as_deep_as_is_allowed_is_read_and_deeper_is_not():
    assert parse_json("[" * (DEPTH - 1) + "]" * (DEPTH - 1), "it") is not None
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        middle = "" if opening == "[" else "1"
        with pytest.raises(UserError, match="it has more than 64 levels"):
            parse_json(opening * (DEPTH + 1) + middle + closing * (DEPTH + 1), "it")


def test_json_of_any_width_is_fine(tmp_path):
    (tmp_path / "wide.json").write_text("[" + "[1]," * 10_000 + "2]")
    assert read_json(tmp_path / "wide.json") == [[1]] * 10_000 + [2]


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="text is not UTF-8 text"):
        read_text(tmp_path / "text")


def test_tensors_are_those_of_the_file_that_was_opened(tmp_path):
    file = tmp_path / "one.safetensors"
    save_file({"a": torch.zeros(3)}, file)
    with opened(file) as content:
        file.unlink()
        save_file({"a": torch.ones(3)}, file)
        assert torch.equal(tensors_of(content, file)["a"], torch.zeros(3))
    assert torch.equal(read_tensors(file)["a"], torch.ones(3))


@pytest.mark.parametrize("kept", [0, 4, 8, 20, -1])
def test_a_safetensors_file_that_was_cut_short_is_refused(tmp_path, kept):
    file = tmp_path / "one.safetensors"
    save_file({"a": torch.zeros(3)}, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"one.safetensors is damaged \(it is no safetensors file\): restore it"):
        read_tensors(file)


def test_an_array_that_claims_more_than_its_file_holds_is_refused_without_being_allocated(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((10, 10)))
    header = (tmp_path / "rows.npy").read_bytes().replace(b"(10, 10), }          ", b"(9999999, 9999999), }")
    (tmp_path / "rows.npy").write_bytes(header)
    with pytest.raises(UserError, match="is damaged or holds no array of numbers"):
        read_array(tmp_path / "rows.npy")


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    np.save(tmp_path / "rows.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="is damaged or holds no array of numbers"):
        read_array(tmp_path / "rows.npy")
