"""The subject of a study: a model, the demonstrations that it was trained on, and what follows from the two."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.split import Split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.frame_table import FrameTable
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact, label_at, require_made_from
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.kept import once
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.shipped import DEMONSTRATIONS
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.frames import ONE_HOT, encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import TrainedModel, load_model, untrained_twin
from dtinterp.subject.items import Embedding
from environments.graph.state_graph import StateGraph, state_graph
from environments.registration import SUPPORTED_IDS


@dataclass(frozen=True, eq=False)
class Subject:
    """What is studied."""

    trained: TrainedModel
    trajectories: Trajectories
    demonstrations: Artefact
    is_untrained: bool = False
    """whether the model is one of the same shape that never saw a window"""

    def __repr__(self) -> str:
        """Say which model and which demonstrations, without their weights and steps."""
        untrained = "untrained " * self.is_untrained
        names = f"{untrained}{self.trained.artefact.name}, {self.demonstrations.name}"
        return f"Subject({names}: {self.trajectories.n_steps:,} steps in {', '.join(self.trajectories.env_ids)})"

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
    def one_hot(self) -> Float32[Tensor, "frame item"]:
        """The same table, one-hot whatever the model reads: what features are described by."""
        return encoded(self.trajectories.frames, ONE_HOT)

    @cached_property
    def table(self) -> FrameTable:
        """The demonstrations' distinct frames."""
        return FrameTable(self.trajectories.frames, self.trajectories.env_id)

    @property
    def graph(self) -> StateGraph | None:
        """All states of the world; None where they cannot be enumerated. Computed once for each world."""
        env_id = self.trajectories.env_id
        return state_graph(env_id) if env_id in SUPPORTED_IDS else None

    @cached_property
    def split(self) -> Split:
        """The sides that the model was trained and validated on; of one that was trained elsewhere, a new split."""
        return split_of(self.trajectories, self.training)

    @cached_property
    def untrained(self) -> DecisionTransformer:
        """A model of the same shape that never saw a window."""
        return untrained_twin(self.training, draw=self.training.seed)

    @cached_property
    def control(self) -> "Subject":
        """The same with the untrained model: the control of every claim."""
        return replace(self, is_untrained=True)

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

    def rows(self, site: str, windows: Windows) -> Activations:
        """Harvest the rows of a site."""
        return harvest(self.model, windows, self.items, site)

    @torch.no_grad()
    def embedded(self, items: Float32[Tensor, "frame item"]) -> Float32[Tensor, "frame d_model"]:
        """Return the rows of the observation embedding that coded frames have, whatever window they stand in."""
        return (items @ self.model.W_obs).float()

    def embedding_at(self, site: str) -> Embedding | None:
        """Return the embedding that a site's rows are sums of; None where they are no sums of one-hot items."""
        is_sum = site == OBSERVATION_EMBEDDING and self.model.cfg.n_items == ONE_HOT
        return self.model.W_obs.detach() if is_sum else None

    def _windows(self, steps: Tensor, n: int, rng: torch.Generator) -> Windows:
        chosen = steps[torch.randperm(len(steps), generator=rng)[:n]]
        return window(self.trajectories, chosen, self.model.cfg.n_slots)


def open_subject(model: Path, demonstrations: Path | None = None, *, untrained: bool = False) -> Subject:
    """Open a model and the demonstrations that it was trained on, without which it is not studied.

    Where no demonstrations are given, those that the model's manifest records are sought in the folders beside it and
    among those that ship. A model that was trained elsewhere is studied on any demonstrations of its world whose
    actions and times it knows, by default on those that ship. With `untrained`, the subject is a model of the same
    shape that never saw a window. Raises `UserError` where something is missing, damaged, or of another model.
    """
    found = once(lambda: _opened(model, demonstrations), "subject", model, demonstrations)
    return found.control if untrained else found


def _opened(model: Path, demonstrations: Path | None) -> Subject:
    trained = load_model(model)
    trajectories, parent = load_trajectories(demonstrations or _recorded(trained))
    if trained.training is not None:
        require_made_from(trained.artefact, parent)
    else:
        require_world(trained, trajectories.env_ids)
        _require_known(trained, trajectories, parent.path)
    return Subject(trained, trajectories, parent)


def _recorded(trained: TrainedModel) -> Path:
    """Return the folder of the demonstrations that a model's manifest records."""
    if trained.training is None:
        return DEMONSTRATIONS
    parents = trained.artefact.manifest.parents
    near = trained.artefact.path.absolute().parents
    beside = [folder for up in near[:2] for pattern in ("*", "demonstrations/*") for folder in sorted(up.glob(pattern))]
    for folder in (*beside, *sorted(DEMONSTRATIONS.parent.glob("*"))):
        label = label_at(folder)
        if label is not None and label.digest in parents.values():
            return folder
    raise UserError(
        f"{trained.artefact.path} was trained on {', '.join(parents)}, which is not beside it: give --demonstrations."
    )


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
