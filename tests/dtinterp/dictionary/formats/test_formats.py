from pathlib import Path

import pytest

from dtinterp.dictionary.formats import FORMATS, read_foreign
from dtinterp.foundation.errors import UserError


def test_a_folder_of_nothing_known_is_told_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"holds no autoencoder, expected cfg\.json and sae_weights\.safetensors \(SAELens\); cfg\.json and sae",
    ):
        read_foreign(tmp_path)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("sae_weights.safetensors", "SAELens"),
        ("sae.safetensors", "sparsify"),
        ("ae.safetensors", "dictionary_learning"),
        ("ae.pt", "dictionary_learning"),
    ],
)
def test_a_format_is_recognised_by_its_weights_and_wants_its_settings(file: str, name: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(b"x")
    assert [each.name for each in FORMATS if each.recognises(tmp_path)] == [name]
    with pytest.raises(UserError, match=r"(cfg|config)\.json is missing"):
        read_foreign(tmp_path)
