import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dtinterp.dictionary.rows import RowSource, as_rows, normalise
from dtinterp.dictionary.saelens import import_saelens
from dtinterp.foundation.errors import UserError

TABLE = torch.arange(24.0).view(6, 4)


def _sources(folder: Path) -> dict[str, RowSource]:
    np.save(folder / "rows.npy", TABLE.numpy())
    save_file({"rows": TABLE}, folder / "rows.safetensors")
    return {
        "tensor": TABLE,
        "tensor of integers": TABLE.long(),
        "tensor of positions in batches": TABLE.view(2, 3, 4),
        "half precision": TABLE.half(),
        "array": TABLE.double().numpy(),
        "npy file": folder / "rows.npy",
        "safetensors file": folder / "rows.safetensors",
        "iterator": iter(TABLE.split(4)),
        "list of arrays": [TABLE[:1].numpy(), TABLE[1:].numpy()],
    }


def test_the_same_rows_come_from_anywhere(tmp_path: Path) -> None:
    for name, source in _sources(tmp_path).items():
        found = as_rows(source)
        assert found.dtype == torch.float32, name
        assert torch.equal(found, TABLE), name


def test_rows_are_cut_off_from_the_network_that_made_them() -> None:
    assert not as_rows(TABLE.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            torch.ones(3),
            r"The activations have shape \(3,\) and type torch.float32, expected numbers with at least two",
        ),
        (torch.ones(3, 2, dtype=torch.bool), r"shape \(3, 2\) and type torch.bool, expected numbers"),
        ([], "The pieces have rows of length no length at all, expected one"),
        (
            [torch.ones(2, 3), torch.ones(2, 4)],
            "The pieces have rows of length 3 and 4, expected one: give activations",
        ),
        (Path("nowhere.npy"), "nowhere.npy is no file: give a .npy or .safetensors file of activations"),
        (Path(__file__), "ends in '.py', expected .npy or .safetensors: write it as one of these"),
    ],
)
def test_what_is_no_table_gets_one_sentence(source: RowSource, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        as_rows(source)


def test_a_file_with_many_tensors_is_refused(tmp_path: Path) -> None:
    save_file({"keys": TABLE, "queries": TABLE + 1}, tmp_path / "two.safetensors")
    with pytest.raises(UserError, match=r"two\.safetensors holds keys, queries, expected one tensor"):
        as_rows(tmp_path / "two.safetensors")


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[3] / "docs" / "dictionaries.md"
    example = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "example.py").write_text(example)
    monkeypatch.chdir(tmp_path)
    made = runpy.run_path("example.py")
    assert made["rows"].shape == (6400, 32)
    assert [member.width for member in made["members"]] == [64] * 5
    assert import_saelens(tmp_path / "results" / "batchtopk").width == 64


def test_normalised_rows_have_a_mean_norm_of_root_d_model() -> None:
    batch, scale = normalise(TABLE, torch.arange(6))
    torch.testing.assert_close(batch.weight @ batch.rows.norm(dim=1), torch.tensor(2.0))
    torch.testing.assert_close(batch.rows * scale, TABLE)
    torch.testing.assert_close(batch.weight, torch.arange(6) / 15)
