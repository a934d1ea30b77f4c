"""Bytes from outside, read within limits: text, JSON, safetensors and NumPy files.

Each reader knows the size before it reads and the depth before anybody walks through what it found. Whatever a damaged
or hostile file holds, `UserError` says so in one sentence; nothing in a file can name code.
"""

import json
import os
import stat
import tokenize
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from dtinterp.foundation.errors import UserError

TEXT_BYTES = 64 * 2**20
"""More than any config, manifest or table of ours has."""
DEPTH = 64
"""Lists and objects inside each other; JSON that is deeper only exhausts whoever walks through it."""

JSON: TypeAlias = bool | int | float | str | Sequence[object] | Mapping[str, object] | None


@contextmanager
def opened(file: Path, *, within: int | None = None, advice: str = "check the path") -> Iterator[BufferedReader]:
    """Open a regular file; where the descriptor of its folder is given, in that folder, wherever it stands by now.

    Raises `UserError` where there is none, with `advice`, where it may not be read, and where it is a folder, a pipe or
    a device.
    """
    name = file if within is None else file.name
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=within)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{file} is missing: {advice}.") from None
    except OSError as error:  # no right to read it, a link to itself, a name that is too long
        raise UserError(f"{file} cannot be opened ({error.strerror}): check the path and who may read it.") from None
    except ValueError:
        raise UserError(f"{str(file)!r} is no path, since it holds a zero byte: check it.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UserError(f"{file} is no regular file: give the path of one.")
    with os.fdopen(handle, "rb") as content:
        yield content


def read_bytes(file: Path, *, at_most: int = TEXT_BYTES) -> bytes:
    """Return a file's content. Raises `UserError` where it is missing, no regular file, or has more bytes."""
    with opened(file) as content:
        return bytes_of(content, file, at_most=at_most)


def bytes_of(content: BufferedReader, file: Path, *, at_most: int = TEXT_BYTES) -> bytes:
    """Return what an open file holds. Raises `UserError` where that is more than `at_most` bytes."""
    size = os.fstat(content.fileno()).st_size
    if size > at_most:
        raise UserError(f"{file} has {size:,} bytes, expected at most {at_most:,}: give a smaller file.")
    content.seek(0)
    return content.read(at_most)


def read_text(file: Path, *, at_most: int = TEXT_BYTES) -> str:
    """Return a text. Raises `UserError` where `read_bytes` does, and where it is not UTF-8."""
    try:
        return read_bytes(file, at_most=at_most).decode()
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text: write it as that.") from None


def read_json(file: Path, *, at_most: int = TEXT_BYTES) -> JSON:
    """Return what a JSON file holds. Raises `UserError` where `read_bytes` or `parse_json` does."""
    return parse_json(read_bytes(file, at_most=at_most), str(file))


def parse_json(text: str | bytes, what: str) -> JSON:
    """Return the value of a JSON text, which `what` names. Raises `UserError` where it is none, or too deep."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{what} is damaged (it is no JSON): restore it, or make it again.") from None
    if not _is_shallow(value):
        raise UserError(f"{what} has more than {DEPTH} levels, which nothing of ours has: write it again.")
    return value


def parse_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Return the fields of a JSON object. Raises `UserError` where `parse_json` does, and for any other value."""
    value = parse_json(text, what)
    if not isinstance(value, dict):
        raise UserError(f"{what} is damaged (it is no JSON object): restore it, or make it again.")
    return value


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Map the tensors of a safetensors file. Raises `UserError` where it is missing or damaged."""
    with opened(file) as content:
        return tensors_of(content, file)


def tensors_of(
    content: BufferedReader, file: Path, *, advice: str = "restore it, or write it again"
) -> dict[str, Tensor]:
    """Map the tensors of an open safetensors file: of this very file, whatever has its name by now.

    The format fixes every offset by type and shape, and its library holds these against the size of the file, so
    nothing is allocated that is not there. Raises `UserError` where it is damaged.
    """
    content.seek(0)
    try:
        return load_file(_own_path(content))
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError):
        raise UserError(f"{file} is damaged (it is no safetensors file): {advice}.") from None


def notes_of(content: BufferedReader) -> dict[str, str]:
    """Return the texts in the header of an open safetensors file that `tensors_of` has read."""
    content.seek(0)
    with safe_open(_own_path(content), framework="pt") as file:
        return dict(file.metadata() or {})


def read_array(file: Path) -> np.ndarray:
    """Map, privately, the array of a `.npy` file. Raises `UserError` where it is damaged, or an array of objects."""
    with opened(file):
        pass  # it is there, and no pipe
    try:
        found = np.load(file, mmap_mode="c", allow_pickle=False)
    except _NO_ARRAY:
        found = None
    if not isinstance(found, np.ndarray):
        raise UserError(f"{file} is damaged or holds no array of numbers: write it anew with numpy.save.")
    return found


_NO_ARRAY = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
)
"""What NumPy raises on a file that it cannot read: the header is a Python literal, and a zip file holds several."""


def _own_path(content: BufferedReader) -> str:
    """Return a path by which libraries open the file that is open already."""
    return f"/dev/fd/{content.fileno()}"


def _is_shallow(value: object) -> bool:
    """Whether nothing in a value lies deeper than `DEPTH`; walks level by level, since recursion is what it guards."""
    level = [value]
    for _ in range(DEPTH):
        level = [part for each in level if isinstance(each, (list, dict)) for part in _parts(each)]
        if not level:
            return True
    return False


def _parts(value: list[object] | dict[str, object]) -> Iterator[object]:
    return iter(value.values() if isinstance(value, dict) else value)
