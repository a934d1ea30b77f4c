"""What a file says of a dictionary or map, held against what such a thing has: its kind and its parts."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.errors import UserError

AGAIN = "fit it again"
KindT = TypeVar("KindT")


def kind_of(told: Mapping[str, object], kinds: Mapping[str, type[KindT]], path: Path, *, advice: str = AGAIN) -> KindT:
    """Return the kind that `told` names as its `type`, with the settings beside it.

    Raises `UserError` where it names none of the kinds, or has settings that the kind cannot have.
    """
    name = str(told.get("type"))
    if name not in kinds:
        raise UserError(f"{path} is of kind {name}, expected one of {', '.join(kinds)}: {advice}.")
    return settings_of(
        kinds[name], {key: value for key, value in told.items() if key != "type"}, str(path), advice=advice
    )


def require_parts(
    tensors: Mapping[str, Tensor], n_axes: Mapping[str, int], path: Path, *, optional: Collection[str] = ()
) -> None:
    """Raise `UserError` unless just these tensors are there, of float32 and with so many axes."""
    missing = sorted(n_axes.keys() - tensors.keys() - set(optional))
    strays = sorted(tensors.keys() - n_axes.keys())
    odd = sorted(
        name
        for name in n_axes.keys() & tensors.keys()
        if tensors[name].dtype != torch.float32 or tensors[name].ndim != n_axes[name]
    )
    faults = {"lacks": missing, "has strange": strays, "has damaged": odd}
    said = [f"{verb} {', '.join(names)}" for verb, names in faults.items() if names]
    if said:
        raise UserError(f"{path} {' and '.join(said)}: {AGAIN}.")
