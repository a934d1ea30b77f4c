"""The decision transformer: logits of each slot's action from windows."""

from typing import cast

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.hooks_active import is_listened_to
from dtinterp.model.network.layers import Block
from dtinterp.model.network.normalization import Norm, norm_of
from dtinterp.model.network.tokens import allowed_attention, interleave


class DecisionTransformer(HookedRootModule):
    """A decision transformer (Chen et al. 2021, arXiv:2106.01345) that TransformerLens can open.

    Return-to-go, observation and action of a slot are embedded linearly, and the slot's time is added to all three.
    Pads are masked in attention: left padding by any amount changes no logit of a real slot. Only a model with
    `attend_to_padding` sees them, as a frame without items, the pad's action, time 0 and the first real return-to-go.
    Each part runs fused when no hook listens inside it, otherwise hooked; they agree within 1e-5 in float32.
    """

    hook_rtg_embed: HookPoint
    hook_time_embed: HookPoint
    hook_pos_embed: HookPoint

    def __init__(self, config: ModelConfig, generator: torch.Generator) -> None:
        """Initialise as minGPT does: N(0, 0.02), the projections into the residual stream scaled by 1/√(2·layers)."""
        super().__init__()
        self.cfg = config
        self.W_rtg = _weight(config.return_to_go, 1, config.d_model)
        self.W_obs = nn.Parameter(torch.empty(config.n_items, config.d_model))
        self.W_action = nn.Parameter(torch.empty(config.n_actions + 1, config.d_model))
        self.W_time = _weight(config.time_embedding, config.max_time + 1, config.d_model)
        self.W_pos = _weight(config.position_embedding, config.n_ctx, config.d_model)
        self.hook_obs_embed, self.hook_action_embed, self.hook_embed = HookPoint(), HookPoint(), HookPoint()
        for kind, weight in (("rtg", self.W_rtg), ("time", self.W_time), ("pos", self.W_pos)):
            if weight is not None:  # a hook at what a model lacks would never be called
                self.add_module(f"hook_{kind}_embed", HookPoint())
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layers)])
        self.ln_final: Norm = norm_of(config.normalization_type, config.d_model)
        self.W_U = nn.Parameter(torch.empty(config.d_model, config.n_actions))
        self.b_U = nn.Parameter(torch.zeros(config.n_actions))
        self._initialise(generator)
        self.setup()

    def forward(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> Float[Tensor, "batch slot action"]:
        """Return the logits of the action at each slot, read at its observation token.

        `items` is the coded frame table that `windows.frame_id` points into; each frame that is shown is embedded once.
        Logits at pads mean nothing. Raises `UserError` for windows or frames that the model was not made for.
        """
        tokens = self.tokens(windows, items)
        allowed = self.allowed(windows.mask)
        observations = self.cfg.observation_tokens
        *earlier, last = self.layers
        for block in earlier:
            tokens = block(tokens, allowed, slice(None))
        if is_listened_to(self.ln_final):
            seen = self.ln_final(last(tokens, allowed, slice(None)))[:, observations]
        else:
            seen = self.ln_final(last(tokens, allowed, observations))  # batch slot d_model: only these tokens are read
        return nn.functional.linear(seen, self.W_U.T, self.b_U)

    def tokens(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> Float[Tensor, "batch token d_model"]:
        """Return the residual stream before the first block; raises `UserError` as `forward` does."""
        self._check(windows, items)
        return self._embed(windows, items)

    def allowed(self, mask: Bool[Tensor, "batch slot"]) -> Bool[Tensor, "batch query key"]:
        """Return which token may attend to which."""
        seen = torch.ones_like(mask) if self.cfg.attend_to_padding else mask
        return allowed_attention(seen, self.cfg.tokens_per_slot)

    def is_listened_to(self) -> bool:
        """Whether any hook would see or change an activation."""
        return is_listened_to(self)

    @property
    def n_parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def accumulated_bias(
        self, layer: int, mlp_input: bool = False, include_mlp_biases: bool = True
    ) -> Float[Tensor, " d_model"]:
        """Return what the biases of the blocks before `layer` write; `ActivationCache` asks for it by this name."""
        biases = [block.attn.b_O for block in self.layers[: layer + mlp_input]]
        biases += [block.mlp.b_out for block in self.layers[:layer] if include_mlp_biases]
        return torch.stack([torch.zeros_like(self.W_U[:, 0]), *biases]).sum(dim=0)

    def tokens_to_residual_directions(self, tokens: int | Int64[Tensor, "*shape"]) -> Float[Tensor, "*shape d_model"]:
        """Return the unembedding of actions; `ActivationCache` asks for it by this name."""
        return self.W_U.T[tokens]

    @property
    def layers(self) -> list[Block]:
        """The blocks, typed."""
        return [cast(Block, block) for block in self.blocks]

    def _embed(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> Float[Tensor, "batch token d_model"]:
        kinds = [self._embedded_frames(windows, items), self._embedded_actions(windows)]
        if self.W_rtg is not None:
            kinds.insert(0, self.hook_rtg_embed(self._asked(windows)[..., None] * self.W_rtg[0]))
        if self.W_time is not None:
            time = self.hook_time_embed(self.W_time[windows.time])
            kinds = [kind + time for kind in kinds]
        tokens = self.hook_embed(interleave(*kinds))
        if self.W_pos is None:
            return tokens
        places = self.W_pos[-tokens.shape[1] :]  # shorter windows are the right end of a full one
        return tokens + self.hook_pos_embed(places.expand_as(tokens))

    def _embedded_frames(
        self, windows: Windows, items: Float32[Tensor, "frame item"]
    ) -> Float[Tensor, "batch slot d_model"]:
        shown, place = windows.frame_id.unique(return_inverse=True)  # a batch shows few of a table's frames
        frames = (items[shown] @ self.W_obs)[place].float()  # batch slot d_model
        return self.hook_obs_embed(frames * windows.mask[..., None] if self.cfg.attend_to_padding else frames)

    def _embedded_actions(self, windows: Windows) -> Float[Tensor, "batch slot d_model"]:
        is_pad = windows.action == PAD_ACTION
        return self.hook_action_embed(self.W_action[torch.where(is_pad, self.cfg.n_actions, windows.action)])

    def _asked(self, windows: Windows) -> Float32[Tensor, "batch slot"]:
        """Return the returns-to-go; a pad that is attended to asks for the same as the first real slot."""
        if not self.cfg.attend_to_padding:
            return windows.rtg
        first = windows.mask.int().argmax(dim=1, keepdim=True)  # batch 1
        return torch.where(windows.mask, windows.rtg, windows.rtg.gather(1, first))

    def _check(self, windows: Windows, items: Float32[Tensor, "frame item"]) -> None:
        if items.shape[1] != self.cfg.n_items:
            raise UserError(
                f"the frames are coded in {items.shape[1]} numbers, the model reads {self.cfg.n_items}: "
                "code them one-hot (980) or ordinal (147), as the model's n_items says."
            )
        if self.cfg.attend_to_padding and windows.n_slots < self.cfg.n_slots:
            raise UserError(
                f"the windows have {windows.n_slots} slots, the model attends to its pads and needs all "
                f"{self.cfg.n_slots}: make full windows."
            )
        if windows.n_slots > self.cfg.n_slots:
            raise UserError(
                f"the windows have {windows.n_slots} slots, the model was trained on {self.cfg.n_slots}: "
                "make shorter windows."
            )
        if windows.mask.numel():
            self._check_ranges(windows, len(items))

    def _check_ranges(self, windows: Windows, n_frames: int) -> None:
        """Raise `UserError` for what no embedding stands for; one look for all columns, since each waits for a GPU."""
        acted = torch.where(windows.action == PAD_ACTION, 0, windows.action)
        low, high = torch.stack([windows.frame_id, acted, windows.time]).flatten(1).aminmax(dim=1)
        (frame, action, time), (last_frame, last_action, last_time) = torch.stack([low, high]).tolist()
        if frame < 0 or last_frame >= n_frames:
            raise UserError(
                f"a window shows frame {frame if frame < 0 else last_frame}, the table has frames 0 to {n_frames - 1}: "
                "give the table that the windows were cut from."
            )
        if action < 0 or last_action >= self.cfg.n_actions:
            raise UserError(
                f"a window holds action {action if action < 0 else last_action}, the model knows actions 0 to "
                f"{self.cfg.n_actions - 1}: use a world with its actions."
            )
        if self.cfg.time_embedding and (time < 0 or last_time > self.cfg.max_time):
            raise UserError(
                f"a window holds time {time if time < 0 else last_time}, the model knows times up to "
                f"{self.cfg.max_time}: use a world with its time limit."
            )

    def _initialise(self, generator: torch.Generator) -> None:
        deviation = 0.02
        residual = deviation / (2 * self.cfg.n_layers) ** 0.5
        for name, parameter in self.named_parameters():
            kind = name.rpartition(".")[2]
            if kind.startswith("W_") and not parameter.is_meta:  # where shapes alone are asked for, nothing is drawn
                scale = residual if kind in ("W_O", "W_out") else deviation
                nn.init.normal_(parameter, std=scale, generator=generator)


def _weight(exists: bool, *shape: int) -> nn.Parameter | None:
    return nn.Parameter(torch.empty(*shape)) if exists else None
