"""One small study's folders, made once by the real commands."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.agents.config import AgentConfig
from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.commands.data.train_agent import train_agent
from dtinterp.commands.models.train_model import train_model
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds import Pca
from dtinterp.model.config import ModelConfig, TrainConfig

AGENT = AgentConfig("MiniGrid-MemoryS7FixedStartStatic-v0", steps=8192, n_worlds=128, n_rollout=32, d_hidden=16)
COLLECTION = CollectConfig(("temperature=1:4000", "temperature=5:2000"), n_worlds=20)
TRAINING = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16), steps=12, batch_size=32, validate_every=6, n_checkpoints=3
)


@dataclass(frozen=True)
class Folders:
    """Where the small study keeps its artefacts; `root` has room for more."""

    root: Path

    @property
    def agent(self) -> Path:
        return self.root / "agent"

    @property
    def demonstrations(self) -> Path:
        return self.root / "demonstrations"

    @property
    def model(self) -> Path:
        return self.root / "model"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders(tmp_path_factory.mktemp("study"))
    train_agent(AGENT, folders.agent)
    collect(COLLECTION, folders.agent, folders.demonstrations)
    train_model(TRAINING, folders.demonstrations, folders.model)
    return folders


@pytest.fixture(scope="session")
def axes() -> Dictionary:
    """A dictionary of the small model's observation embedding whose features are its axes."""
    width = TRAINING.model.d_model
    return Dictionary(
        W_enc=torch.eye(width),
        b_enc=torch.zeros(width),
        W_dec=torch.eye(width),
        b_dec=torch.zeros(width),
        kind=Pca(width),
        scale=torch.tensor(1.0),
        site=OBSERVATION_EMBEDDING,
        name="axes",
    )
