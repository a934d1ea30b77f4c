"""A training under way becomes a file, and the file a training that goes on as if nothing had happened."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dtinterp.foundation.artefacts.reading import JSON, parse_json
from dtinterp.foundation.artefacts.sealed import REMOVE, read_sealed, write_sealed
from dtinterp.foundation.artefacts.soundness import understanding
from dtinterp.foundation.errors import UserError


@runtime_checkable
class Carried(Protocol):
    """What else changes during a training, such as worlds in the middle of their episodes."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return all of it as tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        ...


@dataclass(frozen=True)
class Training:
    """What changes while a model is trained, and what tells this training from others."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    identity: Mapping[str, JSON]
    """its settings and the hash of its data, by name"""
    carried: Mapping[str, Carried] = field(default_factory=dict)
    """what else changes, by name"""


def suspend(path: Path, training: Training, step: int) -> None:
    """Write a training with its number of finished steps; the old file stays whole until the new one is."""
    tensors = prefixed("model", training.model.state_dict())
    for index, state in training.optimizer.state_dict()["state"].items():
        tensors |= prefixed(f"optimizer/{index}", state)
    for name, carried in training.carried.items():
        tensors |= prefixed(f"carried/{name}", carried.state_dict())
    write_sealed(path, tensors, {"step": json.dumps(step), "identity": json.dumps(dict(training.identity))})


def resume(path: Path, training: Training) -> int:
    """Put a suspended training back and return its finished steps; 0 where there is none.

    Raises `UserError` where the file is damaged or of another training, and then leaves `training` as it was.
    """
    if not path.exists():
        return 0
    found = _read(path)
    _require_same(path, found.identity, training.identity)
    with understanding(path, "training under way", advice=REMOVE):
        states = _moments(found.tensors, training.optimizer)
        training.model.load_state_dict(under("model", found.tensors))
        training.optimizer.load_state_dict({**training.optimizer.state_dict(), "state": states})
        for name, carried in training.carried.items():
            carried.load_state_dict(under(f"carried/{name}", found.tensors))
    return found.step


def _moments(tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """Return what the optimiser remembers of each weight, by number.

    Raises ValueError where that is not laid out as the weight is, or not the same kinds of memory for all.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in under("optimizer", tensors).items():
        index, _, kind = name.partition("/")
        weight = weights[int(index)]
        if tensor.dim() and tensor.shape != weight.shape:
            raise ValueError(f"{kind} of weight {index} has shape {tuple(tensor.shape)}, not {tuple(weight.shape)}")
        if not tensor.dim() and not tensor >= 0:
            raise ValueError(f"{kind} of weight {index} is {float(tensor)}, expected a number of steps")
        states.setdefault(int(index), {})[kind] = tensor
    if len({frozenset(state) for state in states.values()}) > 1:
        raise ValueError("the optimiser remembers more of some weights than of others")
    return states


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a part under its name, for a whole that has several parts."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the part of this name, as the part itself names them."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


@dataclass(frozen=True)
class _Suspended:
    step: int
    identity: Mapping[str, object]
    tensors: Mapping[str, Tensor]


def _read(path: Path) -> _Suspended:
    tensors, notes = read_sealed(path)
    step, identity = (parse_json(notes.get(name, ""), f"{name} in {path}") for name in ("step", "identity"))
    if not isinstance(step, int) or step < 0 or not isinstance(identity, dict):
        raise UserError(f"{path} is no training under way: {REMOVE}.")
    return _Suspended(step, identity, tensors)


def _require_same(path: Path, old: Mapping[str, object], new: Mapping[str, JSON]) -> None:
    names = sorted(old.keys() | new.keys())
    differences = [f"{name} {old.get(name)}, not {new.get(name)}" for name in names if old.get(name) != new.get(name)]
    if differences:
        raise UserError(
            f"{path} is a training under way with {', '.join(differences)}: "
            "ask for the same again to go on, or remove the file to train from the start."
        )
