"""Checkpoints of torch, read at no more cost than their size, with nothing in them run.

A `.pt` file is a zip archive with one pickle and the numbers of each tensor. torch packs nothing; what is packed may be
a few bytes that stand for gigabytes. So what the archive says is added up first, then its entries are copied into a new
archive, which is the one that torch reads: none can be read twice, or differently from how it was checked.
"""

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from pickletools import genops
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import torch

from dtinterp.foundation.errors import UserError

MOST_ENTRIES = 2**16
"""One for each tensor and a few more."""
PICKLE = "data.pkl"
MOST_PICKLED = 2**24
"""Bytes of the pickle: names, shapes and texts. Names of 65,536 tensors take a tenth of that."""
NAMING = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
"""Codes by which a pickle names code."""
CALLABLE = (
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch.serialization._get_layout",
    "torch.Size",
)
"""What the pickle of a state dict names beside the types of torch's numbers; none of it costs more than it is given."""


def read_checkpoint(file: Path) -> object:
    """Return what torch finds in a file of torch 1.6 or newer.

    Raises `UserError` where it is damaged or no such file, has entries that are packed or that overlap, or names
    anything but tensors and texts.
    """
    # A damaged or hostile file fails in as many ways as there are parts in an archive and a pickle.
    try:
        archive = _copied(file)
        strangers = _strangers(archive, file)
        contents = None if strangers else torch.load(archive, map_location="cpu", weights_only=True)  # noqa: TID251
    except UserError:
        raise
    except Exception:
        raise UserError(
            f"{file} is truncated, damaged, or no checkpoint of torch 1.6 or newer: fetch it again."
        ) from None
    if strangers:
        raise UserError(
            f"{file} would call {', '.join(strangers)}, which no checkpoint of tensors and texts needs; nothing of it "
            "was run: fetch it from its authors."
        )
    return contents


def _copied(file: Path) -> BytesIO:
    """Return an archive with the same entries, once they are known to take no more than the file does."""
    copy, size = BytesIO(), file.stat().st_size
    with ZipFile(file) as archive, ZipFile(copy, "w", ZIP_STORED) as written:
        entries = archive.infolist()
        names = {entry.filename.lower() for entry in entries}  # torch finds them in either case
        n_packed = sum(entry.compress_type != ZIP_STORED for entry in entries)
        total = sum(entry.file_size for entry in entries)
        if n_packed or total > size or not len(names) == len(entries) <= MOST_ENTRIES:
            raise UserError(
                f"{file} has {size:,} bytes and {len(entries)} entries, {n_packed} of them packed, together {total:,}; "
                "torch writes each once and packs none: fetch it from its authors."
            )
        for entry in entries:
            written.writestr(ZipInfo(entry.filename), archive.read(entry))
    copy.seek(0)
    return copy


def _strangers(archive: BytesIO, file: Path) -> list[str]:
    """Return what the pickles of an archive name that no state dict needs; they are read, not run."""
    with ZipFile(archive) as opened:
        entries = [entry for entry in opened.infolist() if entry.filename.lower().endswith(PICKLE)]
        if sum(entry.file_size for entry in entries) > MOST_PICKLED:
            raise UserError(
                f"{file} has more than {MOST_PICKLED:,} bytes of names and texts: fetch it from its authors."
            )
        codes = [(code.name, argument) for entry in entries for code, argument, _ in genops(opened.read(entry))]
    archive.seek(0)
    _require_no_shared_tuples(codes, file)
    named = {str(argument).replace(" ", ".") for code, argument in codes if code in NAMING}
    return sorted(name for name in named if name not in CALLABLE and not _is_type_of_numbers(name))


def _require_no_shared_tuples(codes: Sequence[tuple[str, object]], file: Path) -> None:
    """Raise `UserError` for a tuple that is used twice: one of forty such levels takes for ever to be a key."""
    tuples: set[object] = set()
    n_kept = 0
    for (before, _), (code, argument) in pairwise(codes):
        kept = argument if "PUT" in code else n_kept if code == "MEMOIZE" else None
        n_kept += kept is not None
        if kept is not None and before.startswith("TUPLE"):
            tuples.add(kept)
        if code == "DUP" or ("GET" in code and argument in tuples):
            raise UserError(f"{file} uses one tuple in several places, which torch never writes: fetch it again.")


def _is_type_of_numbers(name: str) -> bool:
    """Whether this is torch.FloatStorage and its like, or torch.float32."""
    module, _, kind = name.rpartition(".")
    return module == "torch" and (kind.endswith("Storage") or isinstance(getattr(torch, kind, None), torch.dtype))
