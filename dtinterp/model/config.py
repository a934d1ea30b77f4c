"""The shape of a decision transformer."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least

Activation: TypeAlias = Literal["gelu", "relu", "silu"]
Normalization: TypeAlias = Literal["none", "LN", "LNPre", "RMS", "RMSPre"]
"""LayerNorm or RMSNorm, with weights or, where they are folded into what reads the norm, without (Pre)."""


@dataclass(frozen=True)
class ModelConfig:
    """Widths and parts, named as TransformerLens names them; what its `ActivationCache` asks for is here too."""

    d_model: int = 128
    """width of the residual stream"""
    n_layers: int = 2
    """blocks of attention and MLP"""
    n_heads: int = 4
    """attention heads per block; their widths fill d_model"""
    d_mlp: int = 256
    """neurons per MLP"""
    act_fn: Activation = "gelu"
    """non-linearity of the neurons"""
    n_slots: int = 10
    """timesteps in a window"""
    max_time: int = 50
    """environment times 0 … max_time have an embedding each"""
    n_actions: int = 7
    """actions of the world; one more is embedded, the pad"""
    n_items: int = 980
    """inputs of the observation embedding: 980 for one-hot frames, 147 for frames as the numbers they are made of"""
    normalization_type: Normalization = "LN"
    """norm before attention, MLP and unembedding"""
    gated_mlp: bool = False
    """whether a second matrix gates the neurons"""
    time_embedding: bool = True
    """whether a slot's environment time is added to its tokens"""
    position_embedding: bool = False
    """whether each place in the window is embedded too"""
    return_to_go: bool = True
    """whether a return is asked for; without it the model clones behaviour, and a slot has no R token"""
    attend_to_padding: bool = False
    """whether pads are attended to, as in the published models; our own mask them"""

    attn_only: ClassVar[bool] = False
    positional_embedding_type: ClassVar[str] = "time"

    def __post_init__(self) -> None:
        """Refuse an impossible shape."""
        require_at_least(self, 1, "d_model", "n_layers", "n_heads", "d_mlp", "n_slots", "n_actions", "n_items")
        require_at_least(self, 0, "max_time")
        if self.d_model % self.n_heads:
            raise UserError(
                f"d_model is {self.d_model}, expected a multiple of n_heads, {self.n_heads}: change either."
            )
        if self.n_actions > PAD_ACTION:
            raise UserError(f"n_actions is {self.n_actions}, expected at most {PAD_ACTION}, which stands for a pad.")

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def tokens_per_slot(self) -> int:
        """Three, R S A; two, S A, where no return is asked for."""
        return 3 if self.return_to_go else 2

    @property
    def observation_tokens(self) -> slice:
        """Where the observations stand in a sequence; the action of a slot is predicted there."""
        return slice(self.tokens_per_slot - 2, None, self.tokens_per_slot)

    @property
    def n_ctx(self) -> int:
        """Tokens in a full window: the last slot's A is left out."""
        return self.tokens_per_slot * self.n_slots - 1
