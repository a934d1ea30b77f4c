"""Windows become the logits of each slot's action."""

from typing import cast

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.layers import Block, LayerNorm
from dtinterp.model.tokens import OBSERVATION, allowed_attention, interleave


class DecisionTransformer(HookedRootModule):
    """A decision transformer (Chen et al. 2021, arXiv:2106.01345) that TransformerLens can open.

    Return-to-go, observation and action of a slot are embedded linearly, and the slot's time is added to all three.
    Pads are masked in attention: left padding by any amount changes no logit of a real slot. When no hook listens the
    fused path runs, otherwise the hooked one; they agree within 1e-5 in float32.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Initialise as minGPT does: N(0, 0.02), the projections into the residual stream scaled by 1/√(2·layers)."""
        super().__init__()
        self.cfg = config
        self.W_rtg = nn.Parameter(torch.empty(1, config.d_model))
        self.W_obs = nn.Parameter(torch.empty(config.n_items, config.d_model))
        self.W_action = nn.Parameter(torch.empty(config.n_actions + 1, config.d_model))
        self.W_time = nn.Parameter(torch.empty(config.max_time + 1, config.d_model))
        self.hook_rtg_embed, self.hook_obs_embed = HookPoint(), HookPoint()
        self.hook_action_embed, self.hook_time_embed = HookPoint(), HookPoint()
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layers)])
        self.ln_final = LayerNorm(config.d_model)
        self.W_U = nn.Parameter(torch.empty(config.d_model, config.n_actions))
        self.b_U = nn.Parameter(torch.zeros(config.n_actions))
        self._initialise(generator)
        self.setup()

    def forward(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> Float[Tensor, "batch slot action"]:
        """Return the logits of the action at each slot, read at its observation token.

        `items` is the one-hot coded frame table that `windows.frame_id` points into; each distinct frame is embedded
        once. Logits at pads mean nothing. Raises `UserError` for more slots, or later times, than the model knows.
        """
        self._check(windows)
        tokens = self._embed(windows, items)
        allowed = allowed_attention(windows.mask)
        if self.is_listened_to():
            for block in self._layers:
                tokens = block.hooked(tokens, allowed)
            return self.ln_final.hooked(tokens)[:, OBSERVATION] @ self.W_U + self.b_U
        *earlier, last = self._layers
        for block in earlier:
            tokens = block.fused(tokens, allowed, slice(None))
        seen = last.fused(tokens, allowed, OBSERVATION)  # batch slot d_model: only these tokens are read
        return nn.functional.linear(self.ln_final.fused(seen), self.W_U.T, self.b_U)

    def is_listened_to(self) -> bool:
        """Whether any hook would see or change an activation."""
        return any(point._forward_hooks or point._backward_hooks for point in self.hook_dict.values())

    @property
    def n_parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def _layers(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]

    def _embed(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> Float[Tensor, "batch token d_model"]:
        time = self.hook_time_embed(self.W_time[windows.time])
        rtg = self.hook_rtg_embed(windows.rtg[..., None] * self.W_rtg[0])
        observation = self.hook_obs_embed((items @ self.W_obs)[windows.frame_id].float())
        action = self.hook_action_embed(self.W_action[windows.action])
        return interleave(rtg + time, observation + time, action + time)

    def _check(self, windows: Windows) -> None:
        if windows.n_slots > self.cfg.n_slots:
            raise UserError(
                f"the windows have {windows.n_slots} slots, the model was trained on {self.cfg.n_slots}: "
                "make shorter windows."
            )
        if windows.time.numel() and int(windows.time.max()) > self.cfg.max_time:
            raise UserError(
                f"a window holds time {int(windows.time.max())}, the model knows times up to {self.cfg.max_time}: "
                "use a world with its time limit."
            )

    def _initialise(self, generator: torch.Generator) -> None:
        deviation = 0.02
        residual = deviation / (2 * self.cfg.n_layers) ** 0.5
        for name, parameter in self.named_parameters():
            kind = name.rpartition(".")[2]
            if kind.startswith("W_"):
                scale = residual if kind in ("W_O", "W_out") else deviation
                nn.init.normal_(parameter, std=scale, generator=generator)
