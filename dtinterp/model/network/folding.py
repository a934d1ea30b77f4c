"""Folding of the weights of norms into what reads them."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from dtinterp.model.config import ModelConfig, Normalization
from dtinterp.model.network.transformer import DecisionTransformer

FOLDED: dict[Normalization, Normalization] = {"LN": "LNPre", "RMS": "RMSPre"}
"""What becomes of a norm whose weights are folded away; the others have none."""


@torch.no_grad()
def fold_norms(model: DecisionTransformer) -> DecisionTransformer:
    """Return a model with equal logits in which every norm only centres and divides, where and as precise as it is.

    Whatever reads a norm's output x w + b through W and bias c reads x through w W and bias b W + c instead. That is
    exact for each of an MLP's matrices, the gate's included, since both of a gated MLP's have a bias.
    """
    kind = FOLDED.get(model.cfg.normalization_type, model.cfg.normalization_type)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    for norm, readers in _readers(model.cfg):
        w, b = weights.pop(f"{norm}.w", None), weights.pop(f"{norm}.b", None)
        for matrix, bias in readers:
            if b is not None:
                weights[bias] = weights[bias] + b @ weights[matrix]
            if w is not None:
                weights[matrix] = weights[matrix] * w[:, None]
    folded = DecisionTransformer(replace(model.cfg, normalization_type=kind), torch.Generator())
    folded.load_state_dict(weights)
    return folded.to(model.W_U).eval()


def _readers(config: ModelConfig) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each norm with the matrices that read it and their biases."""
    mlp = [("W_gate", "b_gate"), ("W_in", "b_linear")] if config.gated_mlp else [("W_in", "b_in")]
    for layer in range(config.n_layers):
        block = f"blocks.{layer}"
        yield f"{block}.ln1", [(f"{block}.attn.W_{kind}", f"{block}.attn.b_{kind}") for kind in "QKV"]
        yield f"{block}.ln2", [(f"{block}.mlp.{matrix}", f"{block}.mlp.{bias}") for matrix, bias in mlp]
    yield "ln_final", [("W_U", "b_U")]
