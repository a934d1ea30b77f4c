"""Storage of decision transformers, trained here or imported."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch

from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, write_artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside, load
from dtinterp.foundation.artefacts.soundness import settings_of
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.network.shapes import weight_shapes
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.published import Published

SHAPE, PUBLISHED = "model", "published"
"""Where an artefact's config has the model's shape, and the settings of one that was imported."""
AGAIN = "make it again"
_OPTIONS = frozenset(option.name for option in fields(ModelConfig))


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
    content = Content(MODEL.name, asdict(config), model.state_dict(), metrics, device=model.W_obs.device.type)
    return write_artefact(path, content, parents=(parent,), seed=config.seed, replace=replace)


def save_published(path: Path, published: Published, *, replace: bool = False) -> Artefact:
    """Write a model that was trained elsewhere: it has no parent, and its own settings stand beside its shape."""
    model = published.model
    content = Content(
        MODEL.name,
        {SHAPE: asdict(model.cfg), PUBLISHED: published.settings},
        model.state_dict(),
        {"n_parameters": model.n_parameters, "imported_sha256": published.sha256},
    )
    return write_artefact(path, content, parents=(), seed=published.seed, replace=replace)


@dataclass(frozen=True)
class TrainedModel:
    """A model as it was written."""

    model: DecisionTransformer
    training: TrainConfig | None
    """None where it was trained elsewhere and imported"""
    artefact: Artefact

    @property
    def config(self) -> TrainConfig:
        """How the model was trained. Raises `UserError` where it was trained elsewhere."""
        if self.training is None:
            raise UserError(
                f"{self.artefact.path} was trained elsewhere, on demonstrations that are not here: use a model of ours."
            )
        return self.training

    @property
    def env_id(self) -> str | None:
        """The world that an imported model was trained in; None where its file does not say, or the model is ours.

        The published ids name the same worlds here. Of a model of ours the demonstrations say it.
        """
        told = self.artefact.config.get(PUBLISHED, {})
        return settings_of(_Imported, told, str(self.artefact.path), advice=AGAIN).environment_config.env_id

    @property
    def assumed(self) -> TrainConfig:
        """How the model was trained; of one that was trained elsewhere only its shape is known, the rest is default."""
        return self.training or TrainConfig(model=self.model.cfg, seed=0)


@dataclass(frozen=True)
class _World:
    env_id: str | None = None


@dataclass(frozen=True)
class _Imported:
    """What an imported model's own settings say of its world."""

    environment_config: _World = field(default_factory=_World)


class _ModelKind(ArtefactKind[TrainedModel]):
    def encode(self, value: TrainedModel) -> Beside:
        """Return the weights, and how they were trained or what was imported with them."""
        model, training = value.model, value.training
        imported = {SHAPE: asdict(model.cfg), PUBLISHED: value.artefact.config.get(PUBLISHED)}
        settings = imported if training is None else asdict(training)
        return Beside(settings, tensors=model.state_dict(), device=model.W_obs.device.type)

    def decode(self, artefact: Artefact) -> TrainedModel:
        """Build the model once its weights are known to be those of its shape."""
        path, settings = artefact.path, artefact.config.get(SHAPE)
        strangers = sorted(settings.keys() - _OPTIONS) if isinstance(settings, Mapping) else ["no shape"]
        if strangers:
            raise UserError(f"{path} has {', '.join(strangers)}, which this version cannot read: use a newer one.")
        is_ours = PUBLISHED not in artefact.config
        training = settings_of(TrainConfig, artefact.config, str(path), advice=AGAIN) if is_ours else None
        shape = settings_of(ModelConfig, settings, str(path), advice=AGAIN)
        found = {name: tuple(tensor.shape) for name, tensor in artefact.tensors.items()}
        if weight_shapes(shape, path, n_weights=len(found)) != found:
            raise UserError(f"{path} does not have the weights of the shape that it says: {AGAIN}.")
        model = DecisionTransformer(shape, torch.Generator())
        model.load_state_dict(dict(artefact.tensors))
        return TrainedModel(model.eval(), training, artefact)


MODEL = _ModelKind("model", TrainedModel)


def load_model(path: Path, *, parent: Artefact | None = None) -> TrainedModel:
    """Read a model; with `parent`, check that it was trained on just those demonstrations.

    Raises `UserError` where it is missing or damaged, of other demonstrations, has options that this version does not
    know, or weights that are not those of its shape.
    """
    return load(path, MODEL, parent=parent)


def untrained_twin(config: TrainConfig, *, draw: int) -> DecisionTransformer:
    """Return a model of the same shape and initialisation that never saw a window: the control of every claim."""
    return DecisionTransformer(config.model, torch.Generator().manual_seed(draw)).eval()
