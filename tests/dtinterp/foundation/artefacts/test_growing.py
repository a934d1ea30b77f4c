import pytest
import torch
from safetensors.torch import load_file

from dtinterp.foundation.artefacts.growing import HEADER_BYTES, GrowingTensor


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64, torch.float32, torch.bool])
def test_rows_come_back_in_one_tensor(tmp_path, dtype):
    rows = torch.arange(-6, 7).to(dtype)
    grown = GrowingTensor(tmp_path, "reward", dtype)
    for part in rows.split([1, 0, 5, 7]):
        grown.append(part)
    grown.close()
    back = load_file(tmp_path / "tensors.reward.safetensors")
    assert back.keys() == {"reward"}
    assert back["reward"].dtype == dtype
    assert torch.equal(back["reward"], rows)
    assert grown.n_rows == len(rows)


def test_there_may_be_no_rows(tmp_path):
    grown = GrowingTensor(tmp_path, "action", torch.int8)
    grown.close()
    assert len(load_file(grown.file)["action"]) == 0


def test_a_file_is_its_rows_and_one_small_header(tmp_path):
    grown = GrowingTensor(tmp_path, "action", torch.int8)
    grown.append(torch.zeros(1000, dtype=torch.int8))
    grown.close()
    assert grown.file.stat().st_size == HEADER_BYTES + 1000


@pytest.mark.parametrize("rows", [torch.zeros(3), torch.zeros(3, 1, dtype=torch.int8)])
def test_other_rows_are_refused(tmp_path, rows):
    grown = GrowingTensor(tmp_path, "action", torch.int8)
    with pytest.raises(ValueError, match=r"action is to grow by .*, expected torch.int8 of shape \('rows',\)"):
        grown.append(rows)
    grown.close()


def test_rows_may_be_vectors(tmp_path):
    rows = torch.randn(13, 5, generator=torch.Generator().manual_seed(0))
    grown = GrowingTensor(tmp_path, "value", torch.float32, width=5)
    for part in rows.split([1, 0, 5, 7]):
        grown.append(part)
    with pytest.raises(ValueError, match=r"value is to grow by .* of shape \(3, 4\), expected .* \('rows', 5\)"):
        grown.append(torch.zeros(3, 4))
    grown.close()
    assert torch.equal(load_file(grown.file)["value"], rows)
    assert grown.n_rows == 13
