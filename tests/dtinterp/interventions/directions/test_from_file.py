import pytest
import torch
from safetensors.torch import save_file

from dtinterp.foundation.errors import UserError

WIDTH = 32


def test_directions_of_a_file_come_at_length_one(find, tmp_path):
    rows = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(0))
    save_file({"direction": rows, "one": rows[0].clone()}, tmp_path / "mine.safetensors")
    found = find("file", path=str(tmp_path / "mine.safetensors"), site="blocks.0.hook_resid_pre")
    torch.testing.assert_close(found.vectors, rows / rows.norm(dim=1, keepdim=True))
    assert found.names == ("mine 0", "mine 1", "mine 2")
    assert found.found_at == "blocks.0.hook_resid_pre"
    assert find("file", path=str(tmp_path / "mine.safetensors"), tensor="one").names == ("mine",)


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (torch.ones(WIDTH + 1), r"has shape \(33,\), expected 32 numbers"),
        (torch.ones(2, 2, WIDTH), r"has shape \(2, 2, 32\)"),
        (torch.ones(0, WIDTH), r"has shape \(0, 32\)"),
        (torch.zeros(WIDTH), "has a row that is zero"),
        (torch.full((WIDTH,), float("nan")), "not finite"),
        (torch.ones(WIDTH, dtype=torch.int64), "of whole numbers"),
    ],
)
def test_what_is_no_direction_is_refused(find, tmp_path, tensor, sentence):
    save_file({"direction": tensor}, tmp_path / "bad.safetensors")
    with pytest.raises(UserError, match=sentence):
        find("file", path=str(tmp_path / "bad.safetensors"))


def test_a_damaged_or_missing_file_or_tensor_is_refused(find, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(UserError, match="is damaged"):
        find("file", path=str(tmp_path / "bad.safetensors"))
    with pytest.raises(UserError, match=r"none\.safetensors"):
        find("file", path=str(tmp_path / "none.safetensors"))
    save_file({"other": torch.ones(WIDTH)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="has no tensor 'direction', it holds other"):
        find("file", path=str(tmp_path / "other.safetensors"))
