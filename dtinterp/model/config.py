"""Settings of a decision transformer and of its training, checked."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from tyro.conf import arg

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.foundation.devices import Device
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_above, require_at_least, require_one_of, require_sensible

Activation: TypeAlias = Literal["gelu", "relu", "silu"]
Normalization: TypeAlias = Literal["none", "LN", "LNPre", "RMS", "RMSPre"]
"""LayerNorm or RMSNorm, with weights or, where they are folded into what reads the norm, without (Pre)."""

Schedule: TypeAlias = Literal["constant", "cosine"]
"""What becomes of the learning rate after its warm-up."""

Precision: TypeAlias = Literal["float32", "bfloat16"]
"""What matrix products are computed in; bfloat16 under autocast."""


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
        require_one_of(self, "act_fn", get_args(Activation))
        require_one_of(self, "normalization_type", get_args(Normalization))
        if self.d_model % self.n_heads:
            raise UserError(
                f"d_model is {self.d_model}, expected a multiple of n_heads, {self.n_heads}: change either."
            )
        if self.n_actions > PAD_ACTION:
            raise UserError(f"n_actions is {self.n_actions}, expected at most {PAD_ACTION}, which stands for a pad.")
        require_sensible(self)

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


@dataclass(frozen=True)
class TrainConfig:
    """How a decision transformer is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """shape of the transformer"""
    steps: int = 8000
    """optimiser steps"""
    batch_size: int = 256
    """windows per step, over all processes"""
    n_micro_batches: int = 1
    """parts of a batch that are computed one after another, for less memory; the step is the same, within rounding"""
    learning_rate: float = 2e-3
    """at its peak, after the warm-up"""
    learning_rate_schedule: Schedule = "cosine"
    """after the warm-up: constant, or cosine, along which it falls to a tenth"""
    warmup: int = 200
    """steps over which the learning rate rises from zero; 0: it starts at its peak"""
    weight_decay: float = 0.3
    """of the matrices inside the blocks"""
    max_gradient: float = 1.0
    """gradient norm above which it is scaled down"""
    precision: Precision = "float32"
    """of matrix products; bfloat16 under autocast"""
    compile: bool = False
    """compile the model by torch.compile: faster in bfloat16, not in float32 on a CPU; wants a C++ compiler"""
    held_out: Annotated[float, arg(name="held-out-share")] = 0.1
    """share of the distinct episodes kept for validation"""
    validate_every: int = 500
    """steps between two measurements on held-out windows, each written to disk with the state of training"""
    n_checkpoints: int = 0
    """models kept on the way, after log-spaced numbers of steps, with the best on held-out windows; 0 keeps neither"""
    device: Device = "auto"
    """auto takes the first CUDA device where there is one, else the processor"""
    seed: int = 0
    """seed of weights, split and batches"""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        require_at_least(self, 1, "steps", "batch_size", "n_micro_batches", "validate_every")
        require_at_least(self, 0, "warmup", "weight_decay", "n_checkpoints")
        require_above(self, 0, "learning_rate", "max_gradient")
        require_one_of(self, "learning_rate_schedule", get_args(Schedule))
        require_one_of(self, "precision", get_args(Precision))
        require_one_of(self, "device", get_args(Device))
        if self.batch_size < self.n_micro_batches:
            raise UserError(
                f"n_micro_batches is {self.n_micro_batches}, expected at most batch_size, {self.batch_size}: "
                "change either."
            )
        if not 0 < self.held_out < 1:
            raise UserError(f"held_out is {self.held_out}, expected a share between 0 and 1: give another value.")
        require_sensible(self)
