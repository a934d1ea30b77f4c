"""Small trainings, checkpoints as the published code wrote them, and a model rebuilt on TransformerLens's own."""

import json
import warnings
from collections import OrderedDict
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
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.train import ModelRecord, train_model

TINY = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16), steps=20, batch_size=16, warmup=5, validate_every=7, held_out=0.3
)
Rebuilt = Callable[[Float[Tensor, "batch token d_model"]], Float[Tensor, "batch token action"]]
SMALL = {"d_model": 12, "n_heads": 3, "d_mlp": 10, "n_layers": 2, "n_ctx": 8, "seed": 3, "device": "cpu"}
WORLD = {"env_id": "MiniGrid-MemoryS7FixedStart-v0", "one_hot_obs": True, "view_size": 7, "max_steps": 60}
OFFLINE = {"model_type": "decision_transformer", "convert_to_one_hot": True, "lr": 0.001}


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def written_weights(model_config, *, n_items=980, n_actions=7, n_times=61):
    """A state dict as the published code saved it, for any of its settings."""
    full = {**SMALL, "layer_norm": None, "gated_mlp": False, **model_config}
    width, heads, hidden, n_ctx = (full[name] for name in ("d_model", "n_heads", "d_mlp", "n_ctx"))
    weights = OrderedDict(
        {
            "action_embedding.0.weight": drawn(n_actions + 1, width),
            "time_embedding.weight": drawn(n_times, width),
            "state_embedding.weight": drawn(width, n_items) / 5,
            "transformer.pos_embed.W_pos": drawn(n_ctx, width),
        }
    )
    for layer in range(full["n_layers"]):
        block = f"transformer.blocks.{layer}."
        for norm in ("ln1", "ln2") if full["layer_norm"] in ("LN", True) else ():
            weights |= {f"{block}{norm}.w": drawn(width), f"{block}{norm}.b": drawn(width)}
        for name in ("W_Q", "W_K", "W_V"):
            weights[f"{block}attn.{name}"] = drawn(heads, width, width // heads) / 3
        weights[f"{block}attn.W_O"] = drawn(heads, width // heads, width) / 3
        for name in ("b_Q", "b_K", "b_V"):
            weights[f"{block}attn.{name}"] = drawn(heads, width // heads)
        weights |= {f"{block}attn.b_O": drawn(width), f"{block}attn.mask": torch.ones(n_ctx, n_ctx).bool().tril()}
        weights |= {f"{block}attn.IGNORE": torch.tensor(-1e5), f"{block}mlp.W_in": drawn(width, hidden) / 3}
        if full["gated_mlp"]:
            weights[f"{block}mlp.W_gate"] = drawn(width, hidden) / 3
        weights |= {f"{block}mlp.b_in": drawn(hidden), f"{block}mlp.W_out": drawn(hidden, width) / 3}
        weights[f"{block}mlp.b_out"] = drawn(width)
    if full["layer_norm"] in ("LN", True):
        weights |= {"transformer.ln_final.w": drawn(width), "transformer.ln_final.b": drawn(width)}
    for head, n_outputs in (("action", n_actions), ("state", n_items), ("reward", 1)):
        weights |= {f"{head}_predictor.weight": drawn(n_outputs, width), f"{head}_predictor.bias": drawn(n_outputs)}
    weights["reward_embedding.0.weight"] = drawn(width, 1)
    return weights


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
        return train_model(data, held, config, items=items, record=record or ModelRecord())

    return trained


@pytest.fixture
def write(tmp_path):
    """Write a checkpoint as the published code did, and return its path."""

    def written(model_config, /, weights=None, world=WORLD, offline=OFFLINE, **parts):
        contents = {
            "model_state_dict": written_weights(model_config) if weights is None else weights,
            "offline_config": json.dumps(offline),
            "environment_config": json.dumps(world),
            "model_config": json.dumps(model_config),
        }
        contents = {name: part for name, part in {**contents, **parts}.items() if part is not None}
        torch.save(contents, tmp_path / "model.pt")
        return tmp_path / "model.pt"

    return written
