"""The shape of a decision transformer."""

from dataclasses import dataclass
from typing import ClassVar

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least


@dataclass(frozen=True)
class ModelConfig:
    """Widths and depths, named as TransformerLens names them; what its `ActivationCache` asks for is here too."""

    d_model: int = 128
    """width of the residual stream"""
    n_layers: int = 2
    """blocks of attention and MLP"""
    n_heads: int = 4
    """attention heads per block; their widths fill d_model"""
    d_mlp: int = 256
    """neurons per MLP"""
    act_fn: str = "gelu"
    """gelu or relu"""
    n_slots: int = 10
    """timesteps in a window"""
    max_time: int = 50
    """environment times 0 … max_time have an embedding each"""
    n_actions: int = 7
    """actions of the world; one more is embedded, the pad"""
    n_items: int = 980
    """inputs of the observation embedding: 7·7·20 one-hot"""

    attn_only: ClassVar[bool] = False
    normalization_type: ClassVar[str] = "LN"
    positional_embedding_type: ClassVar[str] = "time"

    def __post_init__(self) -> None:
        """Refuse an impossible shape."""
        require_at_least(self, 1, "d_model", "n_layers", "n_heads", "d_mlp", "n_slots", "n_actions", "n_items")
        require_at_least(self, 0, "max_time")
        if self.d_model % self.n_heads:
            raise UserError(
                f"d_model is {self.d_model}, expected a multiple of n_heads, {self.n_heads}: change either."
            )
        if self.act_fn not in ("gelu", "relu"):
            raise UserError(f"act_fn is {self.act_fn!r}, expected gelu or relu: give one of these.")

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.d_model // self.n_heads

    @property
    def n_ctx(self) -> int:
        """Tokens in a full window: R S A per slot, the last A left out."""
        return 3 * self.n_slots - 1
