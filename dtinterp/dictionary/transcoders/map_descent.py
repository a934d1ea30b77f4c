"""Batches of pairs become the weights of many transcoders by gradient descent, as one computation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.dictionary.rows.pairs import PairBatch
from dtinterp.dictionary.schedule import set_learning_rate
from dtinterp.dictionary.training.initialization import Batch, Parameters, initialise
from dtinterp.dictionary.training.losses import Loss, revival, strongest_loss
from dtinterp.dictionary.training.sparse import strongest
from dtinterp.dictionary.transcoders.map_config import MapConfig
from dtinterp.dictionary.transcoders.maps import SkipTranscoder, Transcoder


@dataclass(frozen=True)
class MapDescent:
    """Transcoders of one kind and one width, with what changes them, one step at a time."""

    features: Parameters
    """b_dec is zero and stays so: inputs are centred already, and outputs have their own bias"""
    b_out: Float32[Tensor, "member d_model"]
    W_skip: Float32[Tensor, "member d_model d_model"] | None
    """the linear paths; None where there are none"""
    optimiser: torch.optim.Optimizer
    configs: tuple[MapConfig, ...]
    silence: Int64[Tensor, "member feature"]
    """steps gone by since each feature fired"""

    @classmethod
    def begin(
        cls,
        b_out: Float32[Tensor, "member d_model"],
        W_skip: Float32[Tensor, "member d_model d_model"] | None,
        configs: Sequence[MapConfig],
        generators: Sequence[torch.Generator],
    ) -> "MapDescent":
        """Start with random encoder rows of norm 1 and a decoder of zeros: at first features write nothing."""
        drawn = initialise(torch.zeros_like(b_out), configs[0].width, decoder_norm=1.0, generators=generators)
        features = replace(drawn, W_dec=torch.zeros_like(drawn.W_dec))
        bias, skip = b_out.clone(), None if W_skip is None else W_skip.clone()
        learnt = [*_learnt(features, bias, skip).values()]
        for tensor in learnt:
            tensor.requires_grad_()
        silence = torch.zeros_like(features.b_enc, dtype=torch.int64)
        return cls(features, bias, skip, torch.optim.Adam(learnt, fused=True), tuple(configs), silence)

    @property
    def learnt(self) -> Mapping[str, Tensor]:
        """What its optimiser changes, by name."""
        return _learnt(self.features, self.b_out, self.W_skip)

    @property
    def remembered(self) -> Mapping[str, Tensor]:
        """What else the next step depends on, by name."""
        return {"silence": self.silence}

    @cached_property
    def k(self) -> Int64[Tensor, " member"]:
        """How many features each member may use in a row."""
        kinds = [config.kind for config in self.configs]
        k = [kind.k for kind in kinds if isinstance(kind, Transcoder | SkipTranscoder)]
        return torch.tensor(k, device=self.b_out.device)

    def step(self, batch: Batch, step: int) -> Loss:
        """Take step number `step`, from 1, with rows as `PairBatch` joins them."""
        config = self.configs[0]
        set_learning_rate(self.optimiser, config, step)
        loss = self.loss(PairBatch.split(batch))
        self.optimiser.zero_grad()
        loss.total.sum().backward()
        self.optimiser.step()
        self.silence.add_(1).masked_fill_(loss.is_fired, 0)
        return loss

    def loss(self, pairs: PairBatch) -> Loss:
        """Return `|y - y'|^2 / |y - mean|^2` plus the auxiliary loss of silent features, as TopK has it."""
        rows, features = pairs.inputs.rows, self.features
        kept = strongest(rows, features.W_enc, features.b_enc, features.W_dec, self.k)
        remainder = pairs.outputs.rows - self.b_out[:, None] - kept.made  # member row d_model
        if self.W_skip is not None:
            remainder = remainder - rows @ self.W_skip
        error = pairs.outputs.mean(remainder.square().sum(dim=2))
        is_silent = self.silence >= self.configs[0].silent_steps
        total = error / pairs.outputs.spread + revival(features, pairs.inputs, remainder.detach(), is_silent)
        return strongest_loss(total, error, kept, pairs.inputs, n_features=is_silent.shape[1])

    @torch.no_grad()
    def weights(self) -> list[dict[str, Tensor]]:
        """Return each member's weights as a map names them.

        Decoder rows keep their lengths: if activations took these over, others would be the strongest.
        """
        stacked = {"b_dec" if name == "b_out" else name: tensor for name, tensor in self.learnt.items()}
        return [
            {name: tensor[member].detach().contiguous().clone() for name, tensor in stacked.items()}
            for member in range(len(self.configs))
        ]


def _learnt(features: Parameters, b_out: Tensor, W_skip: Tensor | None) -> dict[str, Tensor]:
    found = {"W_enc": features.W_enc, "b_enc": features.b_enc, "W_dec": features.W_dec, "b_out": b_out}
    return found if W_skip is None else {**found, "W_skip": W_skip}
