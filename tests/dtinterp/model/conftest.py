"""Small trainings, and the same model rebuilt on TransformerLens's own transformer."""

import json
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from dtinterp.dataset.split import split
from dtinterp.model import validation
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.training import Record, train_model
from dtinterp.model.transformer import DecisionTransformer

TINY = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16), steps=20, batch_size=16, warmup=5, validate_every=7, held_out=0.3
)
Rebuilt = Callable[[Float[Tensor, "batch token d_model"]], Float[Tensor, "batch token action"]]


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def rows(path):
    return [{**json.loads(line), "clock": 0, "tokens_per_second": 0} for line in path.read_text().splitlines()]


class Kept:
    """Remembers what a training would have kept."""

    def __init__(self):
        self.steps, self.measured = {}, {}

    def keep_step(self, model, step):
        self.steps[step] = weights(model)

    def keep_best(self, model, step, measured):
        self.measured[step] = (weights(model), measured)


@pytest.fixture(scope="session")
def rebuild() -> Callable[[DecisionTransformer], Rebuilt]:
    """Build a model's `HookedTransformer`, from the embedded tokens to logits; it masks no pads.

    TransformerLens 4 has none: `make test` runs these tests under 3.9 as well.
    """
    if int(version("transformer-lens").split(".")[0]) >= 4:
        pytest.skip("TransformerLens 4 has no HookedTransformer; `make test` runs this under 3.9")
    hooked_transformer = import_module("transformer_lens").HookedTransformer

    def rebuilt(model: DecisionTransformer) -> Rebuilt:
        cfg = model.cfg
        shape = {name: getattr(cfg, name) for name in ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx")}
        options = {name: getattr(cfg, name) for name in ("act_fn", "gated_mlp")}
        norm = None if cfg.normalization_type == "none" else cfg.normalization_type
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            twin = hooked_transformer(
                {**shape, **options, "normalization_type": norm, "d_vocab": cfg.n_actions, "device": "cpu"}
            )
        ours = {name: weight for name, weight in model.state_dict().items() if name.startswith(("blocks.", "ln_"))}
        added = {name for name in ours if name.endswith(("b_gate", "b_linear"))}
        assert not any(ours[name].any() for name in added)
        ours |= {"unembed.W_U": model.W_U, "unembed.b_U": model.b_U}
        loaded = twin.load_state_dict({name: ours[name] for name in ours.keys() - added}, strict=False)
        assert not loaded.unexpected_keys
        assert all(name.startswith(("embed.", "pos_embed.")) or ".attn." in name for name in loaded.missing_keys)
        return lambda tokens: twin(tokens, start_at_layer=0)

    return rebuilt


@pytest.fixture
def embedded() -> Callable[..., Float[Tensor, "batch token d_model"]]:
    """Return what enters a model's first block."""

    def entering(model: DecisionTransformer, *shown: object) -> Float[Tensor, "batch token d_model"]:
        with torch.no_grad():
            _, cache = model.run_with_cache(*shown, names_filter="blocks.0.hook_resid_pre")
        return cache["blocks.0.hook_resid_pre"]

    return entering


@pytest.fixture
def few_validation_windows(monkeypatch) -> None:
    """Let trainings validate on fewer windows."""
    monkeypatch.setattr(validation, "VALIDATION_WINDOWS", 128)


@pytest.fixture(scope="module")
def sides(trajectories):
    return split(trajectories, share=0.3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def train(trajectories, sides, items, few_validation_windows):  # noqa: ARG001
    def trained(config=TINY, record=None, data=trajectories, held=sides):
        return train_model(data, held, config, items=items, record=record or Record())

    return trained
