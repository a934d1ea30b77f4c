"""A decision transformer becomes an artefact and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter

from dtinterp.foundation.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.model.training import TrainConfig
from dtinterp.model.transformer import DecisionTransformer

KIND = "model"


def save_model(
    path: Path,
    model: DecisionTransformer,
    config: TrainConfig,
    *,
    parent: Artefact,
    metrics: Mapping[str, JSON],
    replace: bool = False,
) -> Artefact:
    """Write a model trained on the demonstrations `parent`."""
    content = Content(KIND, asdict(config), model.state_dict(), metrics)
    device = model.W_obs.device.type
    return write_artefact(path, content, parents=(parent,), seed=config.seed, replace=replace, device=device)


@dataclass(frozen=True)
class TrainedModel:
    """A model as it was written."""

    model: DecisionTransformer
    config: TrainConfig
    artefact: Artefact


def load_model(path: Path, *, parent: Artefact | None = None) -> TrainedModel:
    """Read a model; with `parent`, check that it was trained on just those demonstrations."""
    artefact = read_artefact(path, kind=KIND, parent=parent)
    config = TypeAdapter(TrainConfig).validate_python(artefact.config)
    model = DecisionTransformer(config.model, torch.Generator())
    model.load_state_dict(dict(artefact.tensors))
    return TrainedModel(model.eval(), config, artefact)


def untrained_twin(config: TrainConfig, *, draw: int) -> DecisionTransformer:
    """Return a model of the same shape and initialisation that never saw a window: the control of every claim."""
    return DecisionTransformer(config.model, torch.Generator().manual_seed(draw)).eval()
