"""One step of gradient descent on a batch of windows."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from shutil import which
from typing import cast

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.dataset.packing import Pack, pack
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.resume import Training
from dtinterp.model.config import Precision, TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.ranks import ALONE, Ranks

DECAYED = {"W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out"}
"""Weights that decay, by kind: the matrices inside the blocks. Embeddings, biases and norms are spared, as in minGPT,
and the unembedding, too, which decays there."""
COMPILERS = ("g++", "clang++", "c++")


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step: linear warm-up, then the peak, or half a cosine from there to a tenth."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    if config.learning_rate_schedule == "constant":
        return config.learning_rate
    passed = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return config.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * passed)))


@dataclass(frozen=True)
class Descent:
    """A model with what changes it, one step at a time."""

    training: Training
    forward: nn.Module
    """the model, or its compiled twin, which has the same weights"""
    items: Float32[Tensor, "frame item"]
    config: TrainConfig
    ranks: Ranks = ALONE

    @classmethod
    def begin(
        cls, training: Training, items: Float32[Tensor, "frame item"], config: TrainConfig, ranks: Ranks = ALONE
    ) -> "Descent":
        """Compile the model if the config asks for it; raises `UserError` where nothing can."""
        model = training.model
        return cls(training, compiled(model) if config.compile else model, items, config, ranks)

    def step(self, batch: Windows, number: int) -> float:
        """Take one step and return the loss before it; beyond rank 0, of this rank's windows.

        Parts of the batch give gradients one after another, and ranks at the same time. Each part's loss is divided by
        the actions of the whole batch, so that the sum of the gradients is that of the batch.
        """
        model, config, ranks = self.training.model, self.config, self.ranks
        n_parts = ranks.count * config.n_micro_batches
        n_actions = int(batch.mask.sum())
        loss = torch.zeros(1, device=self.items.device)
        self.training.optimizer.zero_grad()
        for start in range(ranks.rank, n_parts, ranks.count):
            packs = pack(batch[start::n_parts], cut=not config.model.attend_to_padding)
            share = summed_loss(self.forward, packs, self.items, config.precision) / n_actions
            share.backward()
            loss += share.detach()
        ranks.add_up([loss, *(weight.grad for weight in model.parameters() if weight.grad is not None)])
        if ranks.is_first:
            self._descend(learning_rate(number, config))
        ranks.take_over(list(model.parameters()))
        return loss.item()

    def _descend(self, rate: float) -> None:
        for group in self.training.optimizer.param_groups:
            group["lr"] = rate
        nn.utils.clip_grad_norm_(self.training.model.parameters(), self.config.max_gradient)
        self.training.optimizer.step()


def summed_loss(
    model: nn.Module, packs: Sequence[Pack], items: Float32[Tensor, "frame item"], precision: Precision
) -> Float[Tensor, ""]:
    """Return the cross-entropy in nats of the windows that were packed, summed over their actions."""
    losses, weights = [], []
    for part in packs:
        windows = part.windows.to(items.device)
        with torch.autocast(items.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(windows, items)
        said, meant = logits[windows.mask].float(), windows.action[windows.mask]
        losses.append(functional.cross_entropy(said, meant, reduction="none"))
        weights.append(part.count.to(items.device)[:, None].expand_as(windows.mask)[windows.mask])
    return (torch.cat(losses) * torch.cat(weights)).sum()


def compiled(model: nn.Module) -> nn.Module:
    """Return a model's twin that PyTorch compiles when it is called. Raises `UserError` without a C++ compiler."""
    if not any(which(name) for name in (os.environ.get("CXX", ""), *COMPILERS)):
        raise UserError(f"no C++ compiler was found ({', '.join(COMPILERS)}): install one, or do not ask to compile.")
    return cast(nn.Module, torch.compile(model, dynamic=True))


def optimizer_of(model: DecisionTransformer, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW for a model, with weight decay for some of its weights."""
    parameters = dict(model.named_parameters())
    is_decayed = {name: name.rpartition(".")[2] in DECAYED for name in parameters}
    groups = [
        {"params": [parameters[name] for name in parameters if is_decayed[name]], "weight_decay": config.weight_decay},
        {"params": [parameters[name] for name in parameters if not is_decayed[name]], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))
