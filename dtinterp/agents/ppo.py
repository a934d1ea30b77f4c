"""Recurrent proximal policy optimisation on one page: a network is improved on a rollout.

Schulman et al. 2017 (arXiv:1707.06347), with whole sequences as minibatches, so that the recurrent state is never stale
inside one, and with Adam (Kingma & Ba 2015, arXiv:1412.6980).
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.agents.advantage import generalised_advantage
from dtinterp.agents.config import AgentConfig, scheduled
from dtinterp.agents.items import FrameItems
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.rollout import Rollout


@dataclass(frozen=True)
class Lesson:
    """A rollout and what it says about the actions in it."""

    rollout: Rollout
    advantage: Float32[Tensor, "time world"]
    items: FrameItems


def lesson_of(rollout: Rollout, items: FrameItems, config: AgentConfig) -> Lesson:
    """Judge the actions of a rollout."""
    advantage = generalised_advantage(
        rollout.reward,
        rollout.value,
        rollout.is_last,
        rollout.value_after,
        discount=config.discount,
        decay=config.decay,
    )
    return Lesson(rollout, advantage, items)


def improve(
    network: RecurrentActorCritic,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    config: AgentConfig,
    *,
    passed: float,
    rng: torch.Generator,
) -> None:
    """Take the clipped policy-gradient steps that one rollout allows; a share `passed` of the training is over."""
    for group in optimizer.param_groups:
        group["lr"] = scheduled(config.learning_rate, config.learning_rate_schedule, passed)
    entropy_weight = scheduled(config.entropy, config.entropy_schedule, passed)
    for _ in range(config.epochs):
        shuffled = torch.randperm(config.n_worlds, generator=rng, device=rng.device)
        for world in rearrange(shuffled, "(group world) -> group world", group=config.n_minibatches):
            loss = ppo_loss(network, lesson, world, config, entropy_weight=entropy_weight)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.max_gradient)
            optimizer.step()


def ppo_loss(
    network: RecurrentActorCritic,
    lesson: Lesson,
    world: Int64[Tensor, " group"],
    config: AgentConfig,
    *,
    entropy_weight: float,
) -> Float32[Tensor, ""]:
    """Return equation 9 of arXiv:1707.06347 on one group of worlds, advantages normalised within it."""
    rollout, advantage = lesson.rollout, lesson.advantage[:, world]
    distinct, row = rollout.frame_id[:, world].unique(return_inverse=True)
    gates = functional.embedding(row, network.gates(lesson.items.of(distinct)))  # time group gate
    hidden = network.unroll(gates, rollout.is_first[:, world], rollout.memory[world])
    log_probs = functional.log_softmax(network.policy_head(hidden), dim=-1)
    log_prob = log_probs.gather(-1, rollout.action[:, world, None]).squeeze(-1)
    ratio = (log_prob - rollout.log_prob[:, world]).exp()
    clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
    gain = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    policy_loss = -torch.minimum(ratio * gain, clipped * gain).mean()
    value, old_value = network.value_head(hidden).squeeze(-1), rollout.value[:, world]
    value_loss = _squared_error(value, old_value + advantage, old_value, config)
    entropy = -(log_probs.exp() * log_probs).sum(-1).mean()
    return policy_loss + config.value_weight * value_loss - entropy_weight * entropy


def _squared_error(
    value: Float32[Tensor, "time group"],
    target: Float32[Tensor, "time group"],
    old: Float32[Tensor, "time group"],
    config: AgentConfig,
) -> Float32[Tensor, ""]:
    """Return the error of the value, or the worse one of it and the clipped value (Engstrom et al. 2020, §2)."""
    error = (value - target) ** 2
    if config.clip_value:
        error = torch.maximum(error, (old + (value - old).clamp(-config.clip, config.clip) - target) ** 2)
    return error.mean()
