"""Held-out loss and accuracy of a model."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer

VALIDATION_WINDOWS = 4096
VALIDATION_BATCH = 1024


@dataclass(frozen=True)
class Validation:
    """How well held-out actions are predicted."""

    loss: float
    """cross-entropy in nats per action"""
    accuracy: float
    n_actions: int


def action_loss(logits: Float[Tensor, "batch slot action"], windows: Windows) -> Float[Tensor, ""]:
    """Return the mean cross-entropy in nats of the actions at real slots."""
    return functional.cross_entropy(logits[windows.mask].float(), windows.action[windows.mask])


def validation_windows(trajectories: Trajectories, split: Split, config: TrainConfig) -> Windows:
    """Return up to `VALIDATION_WINDOWS` held-out windows, the same for every call with this config."""
    rng = generator(config.seed, "model/validation")
    chosen = split.held_out[torch.randperm(len(split.held_out), generator=rng)[:VALIDATION_WINDOWS]]
    return window(trajectories, chosen, config.model.n_slots)


@torch.no_grad()
def validate(model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"]) -> Validation:
    """Return loss and accuracy over all real slots of `windows`."""
    parts = [windows[start : start + VALIDATION_BATCH] for start in range(0, len(windows), VALIDATION_BATCH)]
    logits = torch.cat([model(part.to(items.device), items).cpu() for part in parts])
    hits = (logits.argmax(-1) == windows.action)[windows.mask]
    return Validation(
        loss=action_loss(logits, windows).item(), accuracy=hits.float().mean().item(), n_actions=len(hits)
    )
