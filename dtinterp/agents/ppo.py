"""Batched worlds become a trained agent: recurrent proximal policy optimisation on one page.

Schulman et al. 2017 (arXiv:1707.06347), with whole sequences as minibatches so that the recurrent state is never stale
inside one.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from dtinterp.agents.advantage import generalised_advantage
from dtinterp.agents.network import RecurrentActorCritic
from dtinterp.agents.rollout import Rollout, Runner
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook, progress
from dtinterp.foundation.ranges import require_above, require_at_least, require_share
from dtinterp.foundation.seeding import generator
from environments.vocabulary import one_hot
from environments.worlds import Worlds


@dataclass(frozen=True)
class AgentConfig:
    """How an agent is trained."""

    env_id: str = "MiniGrid-MemoryS7FixedStart-v0"
    """world to learn, a registered gymnasium id"""
    steps: int = 2_000_000
    """environment steps in all, over all worlds"""
    n_worlds: int = 512
    """worlds stepped in parallel"""
    n_rollout: int = 32
    """steps of each world between two updates"""
    d_hidden: int = 128
    """width of the recurrent core"""
    learning_rate: float = 5e-4
    """Adam's step size at the start; it falls linearly to zero"""
    epochs: int = 4
    """passes over each rollout"""
    n_minibatches: int = 4
    """groups of worlds per pass"""
    discount: float = 0.99
    """per step"""
    decay: float = 0.95
    """lambda of the generalised advantage"""
    clip: float = 0.2
    """how far the probability ratio counts"""
    entropy: float = 0.01
    """weight of the entropy bonus, in nats"""
    value_weight: float = 0.5
    """weight of the value loss"""
    max_gradient: float = 0.5
    """gradient norm above which it is scaled down"""
    seed: int = 0
    """seed of layouts, weights and actions"""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require_at_least(self, 1, "n_worlds", "n_rollout", "d_hidden", "epochs", "n_minibatches")
        require_at_least(self, 0, "entropy", "value_weight")
        require_above(self, 0, "learning_rate", "clip", "max_gradient")
        require_share(self, "discount", "decay")
        if self.n_worlds % self.n_minibatches:
            raise UserError(
                f"n_worlds is {self.n_worlds}, expected a multiple of n_minibatches, {self.n_minibatches}: "
                "change either."
            )
        if self.n_worlds // self.n_minibatches * self.n_rollout < 2:
            raise UserError(
                f"n_rollout is {self.n_rollout}, expected at least 2 with one world per minibatch: advantages are "
                "normalised within a minibatch."
            )
        if self.n_updates < 1:
            rollout = self.n_worlds * self.n_rollout
            raise UserError(f"steps is {self.steps}, expected at least one rollout, {rollout}: ask for more steps.")

    @property
    def n_updates(self) -> int:
        """Rollouts that fit into `steps`."""
        return self.steps // (self.n_worlds * self.n_rollout)


def train_agent(worlds: Worlds, config: AgentConfig, logbook: Logbook) -> RecurrentActorCritic:
    """Train an agent in `worlds` and return its network; same config, same machine, same bits."""
    rng = generator(config.seed, "agent/actions")
    network = RecurrentActorCritic(
        n_items=one_hot(worlds.frames[:1]).shape[-1],
        n_actions=worlds.n_actions,
        d_hidden=config.d_hidden,
        generator=generator(config.seed, "agent/weights"),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=1e-5)
    runner = Runner(network, worlds, rng)
    with progress("training the agent", config.n_updates) as bar:
        for update in range(config.n_updates):
            optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - update / config.n_updates)
            rollout = runner.roll(config.n_rollout)
            _update(network, optimizer, rollout, items=runner.items.table, config=config, rng=rng)
            success = _success(rollout)
            logbook.write(update=update, steps=(update + 1) * rollout.reward.numel(), success=success)
            bar.advance(note=f"success {success:.2f}")
    return network


def _success(rollout: Rollout) -> float:
    """Share of the episodes ended in this rollout that succeeded."""
    return (rollout.success.sum() / rollout.is_last.sum().clamp(min=1)).item()


def _update(
    network: RecurrentActorCritic,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    *,
    items: Float32[Tensor, "frame item"],
    config: AgentConfig,
    rng: torch.Generator,
) -> None:
    """Take the clipped policy-gradient steps that one rollout allows."""
    advantage = generalised_advantage(
        rollout.reward,
        rollout.value,
        rollout.is_last,
        rollout.next_value,
        discount=config.discount,
        decay=config.decay,
    )
    for _ in range(config.epochs):
        shuffled = torch.randperm(config.n_worlds, generator=rng)
        for group in rearrange(shuffled, "(group world) -> group world", group=config.n_minibatches):
            loss = _loss(network, rollout, advantage, items=items, group=group, config=config)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.max_gradient)
            optimizer.step()


def _loss(
    network: RecurrentActorCritic,
    rollout: Rollout,
    advantage: Float32[Tensor, "time world"],
    *,
    items: Float32[Tensor, "frame item"],
    group: Int64[Tensor, " group"],
    config: AgentConfig,
) -> Float32[Tensor, ""]:
    """Return equation 9 of arXiv:1707.06347 on one group of worlds, advantages normalised within it."""
    gates = functional.embedding(rollout.frame_id[:, group], network.gates(items))  # time group gate
    states = network.unroll(gates, rollout.is_first[:, group], rollout.hidden[group])
    log_probs = functional.log_softmax(network.policy_head(states), dim=-1)
    log_prob = log_probs.gather(-1, rollout.action[:, group, None]).squeeze(-1)
    gain = advantage[:, group]
    normalised = (gain - gain.mean()) / (gain.std() + 1e-8)
    ratio = (log_prob - rollout.log_prob[:, group]).exp()
    clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
    policy_loss = -torch.minimum(ratio * normalised, clipped * normalised).mean()
    target = gain + rollout.value[:, group]
    value_loss = functional.mse_loss(network.value_head(states).squeeze(-1), target)
    entropy = -(log_probs.exp() * log_probs).sum(-1).mean()
    return policy_loss + config.value_weight * value_loss - config.entropy * entropy
