"""Two folders become the subject of a study: a model, and the demonstrations that it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.shipped import shipped
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import TrainedModel, load_model, untrained_twin

AGENT = shipped("checkpoints/agents/memory-movable")
MODEL = shipped("checkpoints/models/memory-dt-small-0")
DEMONSTRATIONS = shipped("checkpoints/demonstrations/memory-movable")
SHIPPED_DICTIONARY = shipped("checkpoints/studies/memory-dt-small-0/dictionaries/hook_obs_embed/topk-128-k8")


@dataclass(frozen=True)
class Subject:
    """What is studied."""

    trained: TrainedModel
    trajectories: Trajectories
    demonstrations: Artefact
    is_untrained: bool = False
    """whether the model is one of the same shape that never saw a window: the control of every claim"""

    @property
    def model(self) -> DecisionTransformer:
        """The trained model, or the untrained one where that is the subject."""
        return self.untrained if self.is_untrained else self.trained.model

    @property
    def training(self) -> TrainConfig:
        """How the model was trained; of one that was trained elsewhere only its shape is known, the rest is default."""
        return self.trained.assumed

    @cached_property
    def items(self) -> Float32[Tensor, "frame item"]:
        """The demonstrations' frame table, coded as the model reads it."""
        return encoded(self.trajectories.frames, self.model.cfg.n_items)

    @cached_property
    def split(self) -> Split:
        """The sides that the model was trained and validated on; of one that was trained elsewhere, a new split."""
        return split_of(self.trajectories, self.training)

    @cached_property
    def untrained(self) -> DecisionTransformer:
        """A model of the same shape that never saw a window."""
        return untrained_twin(self.training, draw=self.training.seed)

    @property
    def artefacts(self) -> tuple[Artefact, Artefact]:
        """The parents of whatever is found out."""
        return (self.trained.artefact, self.demonstrations)

    def train_windows(self, n: int, *, seed: int) -> Windows:
        """Return windows that end at `n` steps of the training side, drawn without replacement."""
        return self._windows(self.split.train, n, generator(seed, "subject/train windows"))

    def held_out_windows(self, n: int, *, seed: int) -> Windows:
        """Return windows that end at `n` steps of episodes that training never saw."""
        return self._windows(self.split.held_out, n, generator(seed, "subject/held-out windows"))

    def _windows(self, steps: Tensor, n: int, rng: torch.Generator) -> Windows:
        chosen = steps[torch.randperm(len(steps), generator=rng)[:n]]
        return window(self.trajectories, chosen, self.model.cfg.n_slots)


def load_subject(model: Path, demonstrations: Path, *, untrained: bool = False) -> Subject:
    """Read both folders; raises `UserError` where a model of ours was trained on other demonstrations.

    One that was trained elsewhere is studied on any demonstrations of its world whose actions and times it knows, and
    refused on others. With `untrained`, the subject is a model of the same shape that never saw a window.
    """
    trajectories, parent = load_trajectories(demonstrations)
    trained = load_model(model)
    if trained.training is not None:
        trained = load_model(model, parent=parent)
    else:
        require_world(trained, trajectories.env_ids)
        _require_known(trained, trajectories, demonstrations)
    return Subject(trained, trajectories, parent, untrained)


def require_world(trained: TrainedModel, env_ids: Sequence[str]) -> None:
    """Raise `UserError` where a model that was trained elsewhere is not of these worlds; of ours parents tell."""
    if trained.env_id is not None and {trained.env_id} != set(env_ids):
        raise UserError(
            f"{trained.artefact.path} was trained in {trained.env_id}, not in {', '.join(env_ids)}: "
            "give what is of its own world."
        )


def _require_known(trained: TrainedModel, trajectories: Trajectories, path: Path) -> None:
    """Raise `UserError` where demonstrations hold actions or times that a model has no embedding for."""
    shape = trained.model.cfg
    action, time = int(trajectories.action.max()), int(trajectories.length.max()) - 1
    if action >= shape.n_actions:
        raise UserError(
            f"{path} holds action {action}, {trained.artefact.path} knows actions 0 to {shape.n_actions - 1}: "
            "give demonstrations of a world with its actions."
        )
    if shape.time_embedding and time > shape.max_time:
        raise UserError(
            f"{path} holds time {time}, {trained.artefact.path} knows times up to {shape.max_time}: "
            "give demonstrations of a world with its time limit."
        )
