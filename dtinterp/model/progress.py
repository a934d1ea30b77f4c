"""A training under way becomes a file, and a file a training under way."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dtinterp.foundation.errors import UserError


def save_progress(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write weights, optimiser state and the number of finished steps; the old file stays whole until the new one is."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": tensor for name, tensor in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft, {"step": json.dumps(step)})
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def load_progress(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Put a saved training back into `model` and `optimizer` and return its finished steps; 0 where there is none."""
    if not path.exists():
        return 0
    try:
        with safe_open(path, framework="pt") as file:
            step = json.loads(file.metadata()["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        model.load_state_dict(_under("model/", tensors))
    except (SafetensorError, RuntimeError):
        raise UserError(f"{path} is damaged or of another shape of model: remove it to train from the start.") from None
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer/", tensors).items():
        index, _, kind = name.partition("/")
        states.setdefault(int(index), {})[kind] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    return step


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
