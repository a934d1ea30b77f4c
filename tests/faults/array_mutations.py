"""A valid file of arrays becomes one that says or holds something else: safetensors, NumPy's own, published models."""

import io
import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from dtinterp.foundation.artefacts.sealed import HASH, seal_of

Change: TypeAlias = Callable[[bytes, random.Random], tuple[bytes, str]]
"""New content for old, and what was done to it."""

DTYPES = ("F32", "F64", "F16", "BF16", "I64", "I32", "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "U64", "C64", "Q9", "")
NUMBERS = (0, 1, 2, 3, 7, -1, 2**31, 2**62, 2**63, 10**25, 1.5, None, "1")
FORMS = {"F32": "<f", "F64": "<d", "I64": "<q", "I32": "<i", "I16": "<h", "I8": "<b", "U8": "<B", "BOOL": "<?"}
FRACTIONS = (float("nan"), float("inf"), -1.0, 1e30, 0.0, 0.5)


def changes_of(name: str) -> Sequence[Change]:
    """Return what is done to files with a name of this ending; what is there twice is done twice as often."""
    if name.endswith(".safetensors"):
        return [_says_otherwise] * 3 + [_holds_otherwise] * 2
    return {".npy": [_npy_says_otherwise] * 5, ".pt": [_other_checkpoint] * 5}.get(name[name.rfind(".") :], [])


def sealed_again(content: bytes) -> bytes:
    """Return a safetensors file with the right hash, where it records one and can be read at all."""
    try:
        header, rest = _parted(content)
        notes = header["__metadata__"]
        if HASH not in notes:
            return content
        others = {name: note for name, note in notes.items() if name != HASH}
        return _joined({**header, "__metadata__": {**others, HASH: seal_of(load(content), others)}}, rest)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, RecursionError):
        return content


def _parted(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _joined(header: Mapping[str, Any], rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def _says_otherwise(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Edit the header of a safetensors file; the numbers stay."""
    header, rest = _parted(content)
    names = [each for each in header if each != "__metadata__"]
    if not names or rng.random() < 0.1:
        size = int.from_bytes(content[:8], "little")
        length = rng.choice((0, 1, size - 1, size + 1, 2**31, 2**63, 2**64 - 1))
        return struct.pack("<Q", length) + content[8:], f"a header of {length}"
    chosen = rng.choice(names)
    how, edit = rng.choice(list(_EDITS.items()))
    edit(header, chosen, rng)
    return _joined(header, rest), f"{chosen} has another {how}"


def _retyped(header: dict[str, Any], name: str, rng: random.Random) -> None:
    header[name]["dtype"] = rng.choice(DTYPES)


def _resized(header: dict[str, Any], name: str, rng: random.Random) -> None:
    axes = [*header[name]["shape"], 1]
    axes[rng.randrange(len(axes))] = rng.choice(NUMBERS)
    header[name]["shape"] = rng.choice((axes, axes[:-1], [], [0], None, [[1]]))


def _reshaped(header: dict[str, Any], name: str, rng: random.Random) -> None:
    """Fit the same numbers into other axes."""
    count = prod(header[name]["shape"])
    header[name]["shape"] = rng.choice(([count], [1, count], [count, 1], [1, count, 1], header[name]["shape"][::-1]))


def _emptied(header: dict[str, Any], name: str, _: random.Random) -> None:
    """Leave no rows, and move what lies behind."""
    start, end = header[name]["data_offsets"]
    header[name] |= {"shape": [0, *header[name]["shape"][1:]], "data_offsets": [start, start]}
    for entry in header.values():
        if "data_offsets" in entry and entry["data_offsets"][0] >= end:
            entry["data_offsets"] = [offset - (end - start) for offset in entry["data_offsets"]]


def _moved(header: dict[str, Any], name: str, rng: random.Random) -> None:
    header[name]["data_offsets"][rng.randrange(2)] = rng.choice(NUMBERS)


def _renamed(header: dict[str, Any], name: str, rng: random.Random) -> None:
    header[rng.choice((*header, "stranger", "x" * 50_000, "", "a/b\n"))] = header.pop(name)


def _removed(header: dict[str, Any], name: str, _: random.Random) -> None:
    del header[name]


def _noted(header: dict[str, Any], _: str, rng: random.Random) -> None:
    notes = header.get("__metadata__", {})
    header["__metadata__"] = rng.choice(
        (
            {"step": "-1"},
            {**notes, "step": rng.choice(("x", "-1", "null", "1e9", "[" * 200_000, "9" * 6000))},
            {**notes, "identity": rng.choice(("x", "[]", "null", "[" * 200_000, '{"seed": null}'))},
            {},
            {"a": 1},
            None,
            [],
        )
    )


_EDITS: Mapping[str, Callable[[dict[str, Any], str, random.Random], None]] = {
    "type": _retyped,
    "size": _resized,
    "shape": _reshaped,
    "length": _emptied,
    "place": _moved,
    "name": _renamed,
    "end": _removed,
    "note": _noted,
}


def _holds_otherwise(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Fill one tensor, or one of its places, with a number that it hardly allows."""
    header, rest = _parted(content)
    names = [name for name in header if header[name].get("dtype") in FORMS and prod(header[name]["shape"])]
    if not names:
        return content[:-1], "the last byte cut"
    name = rng.choice(names)
    form, (start, end) = FORMS[header[name]["dtype"]], header[name]["data_offsets"]
    number = rng.choice(_numbers(form))
    one = struct.pack(form, number)
    count = (end - start) // len(one)
    first = rng.randrange(count)
    last = first + 1
    if rng.random() < 0.3:
        first, last = 0, count
    changed = rest[: start + first * len(one)] + one * (last - first) + rest[start + last * len(one) :]
    return _joined(header, changed), f"{name} {first}:{last} is {number}"


def _numbers(form: str) -> tuple[Any, ...]:
    if form in ("<f", "<d"):
        return FRACTIONS
    if form == "<?":
        return (False, True)
    if form == "<B":
        return (0, 1, 11, 255)
    return (0, 1, -1, 127, 2 ** (8 * struct.calcsize(form) - 1) - 1)


def _npy_says_otherwise(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    size = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + size].decode("latin1")
    types = ("|O", ">f4", "<f2", "<f16", "<u2", "<u8", "<c8", "<U5", "|V4", "<M8[s]", "<i1", "|b1")
    shapes = ("()", "(0,)", "(0, 3)", "(1000000000000,)", "(-1, 4)", "(2, 3.0)", "(" * 500, "[" * 5000, "(True, 4)")
    edits = {
        "type": header.replace("<f4", rng.choice(types)),
        "structure": header.replace("'<f4'", "[('a','<f4')]"),
        "shape": header.replace(header[header.index("(") : header.index(")") + 1], rng.choice(shapes)),
        "order": header.replace("False", rng.choice(("True", "1", "None", "__import__('os')"))),
        "keys": header.replace("'shape'", "'form'"),
        "end": header[: rng.randrange(len(header))],
        "depth": "{" * 3000,
        "length": "x" * 60_000,
    }
    how = rng.choice(list(edits))
    text = edits[how].encode("latin1")
    version = rng.choice((content[:8], content[:8], b"\x93NUMPY\x02\x00", b"\x93NUMPY\x09\x00"))
    return version + struct.pack("<H", len(text)) + text + content[10 + size :], f"another {how}"


def _other_checkpoint(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Write a published checkpoint with another setting, or another thing in place of a weight."""
    parts = torch.load(io.BytesIO(content), weights_only=True)  # noqa: TID251
    strange = (None, -1, 0, 2**31, 10**12, True, "x" * 100_000, [], {}, 1.5, float("nan"), "relu")
    weights = parts["model_state_dict"]
    name = rng.choice(sorted(weights))
    if rng.random() < 0.5:
        which = rng.choice(("offline_config", "environment_config", "model_config"))
        settings = json.loads(parts[which])
        changed = rng.choice(sorted(settings))
        settings[changed] = rng.choice(strange)
        texts = (json.dumps(settings), json.dumps(settings), "[" * 200_000, "", "null", None, 3)
        parts[which] = rng.choice(texts)
        how = f"{which}: {changed} is {str(settings[changed])[:20]}"
    else:
        weight = weights[name]
        odd = (
            weight * float("nan"),
            weight.to_sparse(),
            weight.flatten()[:0],
            weight[None],
            weight.long(),
            weight.bool(),
        )
        weights[name] = rng.choice((*odd, *strange[:4], weight.expand(1000, *weight.shape), weight.cfloat()))
        how = f"{name} is something else"
    written = io.BytesIO()
    torch.save(parts, written)
    return written.getvalue(), how
