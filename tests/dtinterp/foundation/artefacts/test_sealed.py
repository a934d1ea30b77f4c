import pytest
import torch
from safetensors.torch import save_file

from dtinterp.foundation.artefacts.sealed import read_sealed, write_sealed
from dtinterp.foundation.errors import UserError

TENSORS = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "count": torch.tensor(7),
    "flags": torch.tensor([True, False]),
    "none": torch.zeros(0, 3),
    "half": torch.tensor([1.5], dtype=torch.bfloat16),
}
NOTES = {"step": "4", "identity": '{"seed": 0}'}


def test_tensors_and_notes_come_back(tmp_path):
    write_sealed(tmp_path / "run", TENSORS, NOTES)
    tensors, notes = read_sealed(tmp_path / "run")
    assert notes == NOTES
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    assert tensors.keys() == TENSORS.keys()


def test_no_flipped_bit_comes_back_as_other_numbers(tmp_path):
    write_sealed(tmp_path / "run", TENSORS, NOTES)
    whole = (tmp_path / "run").read_bytes()
    n_refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "run").write_bytes(bytes(damaged))
        try:
            tensors, notes = read_sealed(tmp_path / "run")
        except UserError:
            n_refused += 1
        else:
            assert notes == NOTES
            assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    assert n_refused > 0.9 * len(whole)


def test_what_was_never_sealed_is_refused(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "run", NOTES)
    with pytest.raises(UserError, match=r"run is damaged .*: remove it to begin that work anew"):
        read_sealed(tmp_path / "run")


def test_the_seal_tells_names_types_and_shapes_apart(tmp_path):
    write_sealed(tmp_path / "run", {"a": torch.zeros(4)}, NOTES)
    seal = read_notes(tmp_path / "run")
    for tensors in ({"b": torch.zeros(4)}, {"a": torch.zeros(2, 2)}, {"a": torch.zeros(4, dtype=torch.int32)}):
        save_file(tensors, tmp_path / "other", {**NOTES, "sha256": seal})
        with pytest.raises(UserError, match="is damaged"):
            read_sealed(tmp_path / "other")


def read_notes(path) -> str:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()["sha256"]
