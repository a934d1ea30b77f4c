"""A stack under way becomes a file, and the file a stack that goes on as if nothing had happened."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dtinterp.foundation.artefacts.reading import parse_json
from dtinterp.foundation.artefacts.sealed import REMOVE, read_sealed, write_sealed
from dtinterp.foundation.artefacts.soundness import understanding
from dtinterp.foundation.errors import UserError


@runtime_checkable
class Resumable(Protocol):
    """What changes from step to step, in place."""

    @property
    def learnt(self) -> Mapping[str, Tensor]:
        """What the optimiser changes, by name."""
        ...

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """It remembers something of each tensor that it changes."""
        ...

    @property
    def remembered(self) -> Mapping[str, Tensor]:
        """What else the next step depends on, by name."""
        ...


@dataclass(frozen=True)
class Run:
    """Everything that changes while a stack is fitted, and what tells this stack from others."""

    descents: Sequence[Resumable]
    generators: Sequence[torch.Generator]
    """of the streams of batches"""
    identity: Mapping[str, str]
    """its settings and the hash of its rows, by name"""


def suspend(path: Path, run: Run, step: int) -> None:
    """Write a run with its number of finished steps; the old file stays whole until the new one is."""
    tensors = {f"generator/{place}": each.get_state() for place, each in enumerate(run.generators)}
    for place, descent in enumerate(run.descents):
        tensors |= {f"{place}/{name}": tensor for name, tensor in _state(descent).items()}
    write_sealed(path, tensors, {"step": str(step), "identity": json.dumps(dict(run.identity))})


def resume(path: Path, run: Run) -> int:
    """Put a suspended run back in place and return its finished steps; 0 where there is none.

    Raises `UserError` where the file is damaged or of another stack, and then leaves the run as it was.
    """
    if not path.exists():
        return 0
    step, identity, tensors = _read(path)
    different = sorted(name for name in run.identity if identity.get(name) != run.identity[name])
    if different:
        raise UserError(
            f"{path} is a stack under way with another {' and '.join(different)}: ask for the same again to go on, or "
            "remove the file to start anew."
        )
    with understanding(path, "stack under way", advice=REMOVE):
        for place, descent in enumerate(run.descents):
            _begin_moments(descent)
            for name, tensor in _state(descent).items():
                _put_back(tensor, tensors[f"{place}/{name}"], name)
        for place, generator in enumerate(run.generators):
            generator.set_state(tensors[f"generator/{place}"])
    return step


@torch.no_grad()
def _put_back(tensor: Tensor, kept: Tensor, name: str) -> None:
    if tensor.shape != kept.shape:
        raise ValueError(f"{name} has shape {tuple(kept.shape)}, not {tuple(tensor.shape)}")
    tensor.copy_(kept)


def _state(descent: Resumable) -> dict[str, Tensor]:
    state = {**descent.remembered, **descent.learnt}
    for name, parameter in descent.learnt.items():
        state |= {f"{name}/{moment}": tensor for moment, tensor in descent.optimiser.state[parameter].items()}
    return state


def _begin_moments(descent: Resumable) -> None:
    """Make the optimiser's memory as its first step does, laid out as the weights are."""
    for parameter in descent.learnt.values():
        parameter.grad = torch.zeros_like(parameter)
    for group in descent.optimiser.param_groups:
        group["lr"] = 0.0
    descent.optimiser.step()


def _read(path: Path) -> tuple[int, Mapping[str, object], Mapping[str, Tensor]]:
    tensors, notes = read_sealed(path)
    step, identity = (parse_json(notes.get(name, ""), f"{name} in {path}") for name in ("step", "identity"))
    if not isinstance(step, int) or step < 0 or not isinstance(identity, dict):
        raise UserError(f"{path} is no stack under way: {REMOVE}.")
    return step, identity, tensors
