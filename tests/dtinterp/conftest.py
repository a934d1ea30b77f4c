"""Small real inputs that the tests of several floors share."""

import os
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from jaxtyping import Float32, Int64
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.agents.config import AgentConfig
from dtinterp.agents.policy import Decision, Observation
from dtinterp.commands.data.collect import CollectConfig
from dtinterp.commands.data.collect import collect as record
from dtinterp.commands.data.train_agent import train_agent
from dtinterp.commands.models.train_model import train_model
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.published import read_published
from dtinterp.model.storage import load_model
from environments.graph.state_graph import StateGraph, state_graph
from environments.vocabulary import one_hot
from environments.worlds import GraphWorlds
from tests.conftest import made_once

ROOT = Path(__file__).parents[2]
IMPORTED = ROOT / "checkpoints" / "models" / "memory-gated-mlp"
DOWNLOADED = ROOT.parent / "shared" / "data" / "MemoryGatedMLP.pt"
STATIC = "MiniGrid-MemoryS7FixedStartStatic-v0"
PATIENCE = 240
"""Seconds after which a process that should have ended is said to hang."""
AGENT = AgentConfig("MiniGrid-MemoryS7FixedStartStatic-v0", steps=8192, n_worlds=128, n_rollout=32, d_hidden=16)
COLLECTION = CollectConfig(("temperature=1:4000", "temperature=5:2000"), n_worlds=20)
TRAINING = TrainConfig(
    ModelConfig(d_model=16, n_heads=2, d_mlp=16), steps=12, batch_size=32, validate_every=6, n_checkpoints=3
)
N_CALIBRATED = 50
"""Episodes for each point of the small model's calibration."""


class RandomPolicy:
    """Prefers turns and steps whatever it sees, and remembers only how often it was asked."""

    def start(self, n_worlds: int) -> Int64[Tensor, " world"]:
        return torch.zeros(n_worlds, dtype=torch.int64)

    def act(self, observation: Observation, memory: Int64[Tensor, " world"]) -> Decision[Int64[Tensor, " world"]]:
        preference = torch.tensor([1.0, 1.0, 2.0, 0.0, 0.0, 0.0, -1.0])
        return Decision(preference.repeat(len(observation.frame_id), 1), memory + 1)


@pytest.fixture(scope="session")
def graph() -> StateGraph:
    return state_graph(STATIC)


@pytest.fixture(scope="session")
def trajectories(graph: StateGraph) -> Trajectories:
    worlds = GraphWorlds(graph, 8, generator=torch.Generator().manual_seed(0))
    shares = [Share(Temperature(1.0), 2400), Share(Temperature(5.0), 2400)]
    return collect(RandomPolicy(), worlds, shares, torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def items(trajectories: Trajectories) -> Float32[Tensor, "frame item"]:
    return one_hot(trajectories.frames)


@pytest.fixture(scope="session")
def windows(trajectories: Trajectories) -> Windows:
    chosen = torch.randperm(trajectories.n_steps, generator=torch.Generator().manual_seed(2))[:64]
    return window(trajectories, chosen)


@pytest.fixture
def model() -> DecisionTransformer:
    """An untrained model with weights large enough that every part of it matters."""
    rng = torch.Generator().manual_seed(3)
    model = DecisionTransformer(ModelConfig(d_model=32, n_heads=4, d_mlp=64), rng)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=rng)
    return model.eval()


@pytest.fixture(scope="session")
def draw_model() -> Callable[..., DecisionTransformer]:
    """Untrained models of any shape, every weight of which matters, those of the norms too."""

    def draw(seed: int = 0, **shape: bool | float | str) -> DecisionTransformer:
        small = {"d_model": 16, "n_heads": 2, "d_mlp": 24} | shape
        rng = torch.Generator().manual_seed(seed)
        model = DecisionTransformer(TypeAdapter(ModelConfig).validate_python(small), rng)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=rng) * 0.1)
        return model.eval()

    return draw


@pytest.fixture(
    params=[
        {},
        {"act_fn": "silu", "gated_mlp": True},
        {"normalization_type": "none", "act_fn": "relu"},
        {"normalization_type": "LNPre", "position_embedding": True},
        {"normalization_type": "RMS", "gated_mlp": True, "return_to_go": False},
        {"normalization_type": "RMSPre", "time_embedding": False},
        {"position_embedding": True, "attend_to_padding": True, "gated_mlp": True, "act_fn": "relu"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)
def variant(request: pytest.FixtureRequest, draw_model: Callable[..., DecisionTransformer]) -> DecisionTransformer:
    """A small model of each kind."""
    return draw_model(**request.param)


@pytest.fixture(scope="session")
def published() -> DecisionTransformer:
    """The published MemoryDT with gated MLPs: as imported, or from the file that was downloaded."""
    if IMPORTED.exists():
        return load_model(IMPORTED).model
    file = Path(os.environ.get("DTINTERP_PUBLISHED_MODEL", DOWNLOADED))
    if not file.exists():
        pytest.skip(f"the published model is neither at {IMPORTED} nor at {file} (DTINTERP_PUBLISHED_MODEL)")
    return read_published(file).model


@pytest.fixture
def collected_by_minari(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes datasets of random episodes with Minari's own collector, in a root of this test's own."""
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    pytest.importorskip("jax")  # the collector builds its episodes with it
    root = tmp_path / "minari"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))

    def made(env: gymnasium.Env, dataset_id: str = "random-v0", *, n_steps: int = 400, **options: Any) -> Path:
        collector = minari.DataCollector(env, observation_space=storable(env.observation_space), **options)
        rng = np.random.default_rng(0)
        collector.reset(seed=0)
        for step in range(n_steps):
            *_, terminated, truncated, _ = collector.step(rng.choice(7, p=[0.2, 0.2, 0.5, 0.025, 0.025, 0.025, 0.025]))
            if terminated or truncated:
                collector.reset(seed=1 + step)
        with warnings.catch_warnings(action="ignore"):  # of authors that are not named, and of folders left behind
            collector.create_dataset(dataset_id=dataset_id, algorithm_name="random")
        collector._tmp_dir.cleanup()
        monkeypatch.delenv("MINARI_DATASETS_PATH")
        return root / dataset_id

    return made


def storable(space: gymnasium.Space) -> gymnasium.Space:
    """A MiniGrid observation space as Minari can write it down: it knows no space of missions."""
    if not isinstance(space, gymnasium.spaces.Dict):
        return space
    letters = "abcdefghijklmnopqrstuvwxyz "
    return gymnasium.spaces.Dict({**space.spaces, "mission": gymnasium.spaces.Text(200, charset=letters)})


Ended = list[subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def in_ranks() -> Callable[[str, int], Ended]:
    """Runs a program in several processes, each told what torchrun would tell it."""

    def ran(program: str, n_ranks: int) -> Ended:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n_ranks)}
        address |= {"TORCHELASTIC_RUN_ID": "test"}
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=ROOT,
                env=os.environ | address | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(n_ranks)
        ]
        said = [process.communicate(timeout=PATIENCE) for process in started]
        return [
            subprocess.CompletedProcess(process.args, process.returncode, *words)
            for process, words in zip(started, said, strict=True)
        ]

    return ran


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
    def write(root: Path) -> None:
        made = Folders(root)
        train_agent(AGENT, made.agent)
        record(COLLECTION, made.agent, made.demonstrations)
        train_model(TRAINING, made.demonstrations, made.model, n_calibration_episodes=N_CALIBRATED)

    own = tmp_path_factory.mktemp("study") / "study"
    return Folders(Path(shutil.copytree(made_once(tmp_path_factory, "study", write), own)))


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
