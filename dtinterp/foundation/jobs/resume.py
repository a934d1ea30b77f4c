"""Work under way as a file: what changes in it is suspended, and resumed as if nothing had happened."""

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

LONGEST = 40
"""Characters of a setting that is told where it differs; of longer ones only the name is."""


@runtime_checkable
class Carried(Protocol):
    """What changes while work is under way, such as weights, or worlds in the middle of their episodes."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return all of it as tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> object:
        """Go on from there."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """Work that may be suspended."""

    @property
    def what(self) -> str:
        """What it is called in sentences."""
        ...

    @property
    def identity(self) -> Mapping[str, JSON]:
        """Its settings and the hash of its data, by name: what tells it from other work."""
        ...

    @property
    def parts(self) -> Mapping[str, Carried]:
        """All that changes, by name, in the order in which it is resumed: what checks its state comes first."""
        ...


@dataclass(frozen=True)
class Moments:
    """What an optimizer remembers of each weight, by the weight's number."""

    optimizer: torch.optim.Optimizer

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the memories of all weights."""
        states = self.optimizer.state_dict()["state"]
        return {name: tensor for index, state in states.items() for name, tensor in prefixed(str(index), state).items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Put them back, laid out in memory as the weights are.

        Raises ValueError where one has another shape than its weight, or not all weights have the same kinds of memory.
        """
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        states: dict[int, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            index, _, kind = name.partition("/")
            states.setdefault(int(index), {})[kind] = _laid_out(tensor, weights[int(index)], name)
        if len({frozenset(each) for each in states.values()}) > 1:
            raise ValueError("the optimizer remembers more of some weights than of others")
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": states})


def _laid_out(tensor: Tensor, weight: Tensor, name: str) -> Tensor:
    if tensor.dim() and tensor.shape != weight.shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {tuple(weight.shape)}")
    if not tensor.dim() and not tensor >= 0:
        raise ValueError(f"{name} is {float(tensor)}, expected a number of steps")
    return torch.empty_like(weight, requires_grad=False).copy_(tensor) if tensor.dim() else tensor


@dataclass(frozen=True)
class Training:
    """What changes while a model is trained, and what tells this training from others."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    identity: Mapping[str, JSON]
    """its settings and the hash of its data, by name"""
    carried: Mapping[str, Carried] = field(default_factory=dict)
    """what else changes, by name"""
    what: str = "training"

    @property
    def parts(self) -> Mapping[str, Carried]:
        """Optimizer, model, and what else changes."""
        others = {f"carried/{name}": each for name, each in self.carried.items()}
        return {"optimizer": Moments(self.optimizer), "model": self.model, **others}


def suspend(path: Path, work: Resumable, step: int) -> None:
    """Write work with its number of finished steps; the old file stays whole until the new one is."""
    tensors: dict[str, Tensor] = {}
    for name, part in work.parts.items():
        tensors |= prefixed(name, part.state_dict())
    write_sealed(path, tensors, {"step": json.dumps(step), "identity": json.dumps(dict(work.identity))})


def resume(path: Path, work: Resumable) -> int:
    """Put suspended work back and return its finished steps; 0 where there is none.

    Raises `UserError` where the file is damaged or of other work, and then leaves `work` as it was.
    """
    if not path.exists():
        return 0
    found = _read(path, work.what)
    _require_same(path, found.identity, work)
    with understanding(path, f"{work.what} under way", advice=REMOVE):
        for name, part in work.parts.items():
            part.load_state_dict(under(name, found.tensors))
    return found.step


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


def _read(path: Path, what: str) -> _Suspended:
    tensors, notes = read_sealed(path)
    step, identity = (parse_json(notes.get(name, ""), f"{name} in {path}") for name in ("step", "identity"))
    if not isinstance(step, int) or step < 0 or not isinstance(identity, dict):
        raise UserError(f"{path} is no {what} under way: {REMOVE}.")
    return _Suspended(step, identity, tensors)


def _require_same(path: Path, old: Mapping[str, object], work: Resumable) -> None:
    new = work.identity
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if names:
        told = ", ".join(_difference(name, str(old.get(name)), str(new.get(name))) for name in names)
        raise UserError(
            f"{path} is a {work.what} under way with {told}: ask for the same again to go on, or remove the file to "
            "begin from the start."
        )


def _difference(name: str, old: str, new: str) -> str:
    return f"another {name}" if max(len(old), len(new)) > LONGEST else f"{name} {old}, not {new}"
