"""Tensors with a hash over all that the file says: what is resumed is checked like what is finished."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from dtinterp.foundation.artefacts.reading import notes_of, opened, tensors_of
from dtinterp.foundation.artefacts.writing import whole_file
from dtinterp.foundation.errors import UserError

HASH = "sha256"
REMOVE = "remove it to begin that work anew"
"""What to do about unfinished work that cannot be gone on with."""


def write_sealed(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> None:
    """Write tensors and texts with one hash over both, whole or not at all; the old file stays until then."""
    owned = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    with whole_file(path) as draft:
        draft.write_bytes(save(owned, {**notes, HASH: seal_of(owned, notes)}))


def read_sealed(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors and texts as they were written. Raises `UserError` where a bit of them changed since."""
    with opened(path) as content:
        tensors, notes = tensors_of(content, path, advice=REMOVE), notes_of(content)
    if notes.pop(HASH, None) != seal_of(tensors, notes):
        raise UserError(f"{path} is damaged (its hash differs from the one it records): {REMOVE}.")
    return tensors, notes


def seal_of(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> str:
    """Return the sha256 of names, types, shapes, numbers and texts."""
    digest = hashlib.sha256(json.dumps(dict(notes), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
