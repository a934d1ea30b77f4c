"""Tensors that grow on disk row by row, and were never in memory as a whole."""

import json
from math import prod
from pathlib import Path

import torch
from torch import Tensor

HEADER_BYTES = 256
"""Room that is kept for the header, its own length included; a multiple of eight, so that the rows are aligned."""

_NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float32: "F32",
}
"""What safetensors calls the types."""


class GrowingTensor:
    """One tensor in a safetensors file of its own, to which rows are appended.

    The format wants the length in front of the rows, where it may be padded with spaces; so the header is written last,
    into room that was kept for it.
    """

    def __init__(self, folder: Path, name: str, dtype: torch.dtype, *, width: int | None = None) -> None:
        """Begin the file `tensors.NAME.safetensors` with no rows: numbers, or, with a width, vectors."""
        self.name, self.dtype, self.n_rows = name, dtype, 0
        self._row = () if width is None else (width,)
        self.file = folder / f"tensors.{name}.safetensors"
        self._file = self.file.open("wb")
        self._file.write(bytes(HEADER_BYTES))

    def append(self, rows: Tensor) -> None:
        """Write rows behind those that are there. Raises ValueError for rows of another type or shape."""
        if rows.dtype != self.dtype or rows.shape[1:] != self._row or not rows.dim():
            raise ValueError(
                f"{self.name} is to grow by {rows.dtype} of shape {tuple(rows.shape)}, expected {self.dtype} of shape "
                f"{('rows', *self._row)}"
            )
        self._file.write(rows.contiguous().cpu().numpy().tobytes())
        self.n_rows += len(rows)

    def close(self) -> None:
        """Write the header; from now on the file is a whole safetensors file."""
        end = self.n_rows * prod(self._row) * self.dtype.itemsize
        entry = {"dtype": _NAMES[self.dtype], "shape": [self.n_rows, *self._row], "data_offsets": [0, end]}
        room = HEADER_BYTES - 8
        try:
            self._file.seek(0)  # writes what is left of the rows, which may find no room
            self._file.write(room.to_bytes(8, "little") + json.dumps({self.name: entry}).encode().ljust(room))
        finally:
            self._file.close()
