"""A transformer whose weights were written by hand: it solves the world, and one direction holds the instruction."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
import yaml
from jaxtyping import Float32
from torch import Tensor
from torch.nn.functional import normalize

from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.manifest import Manifest
from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits import edit_of
from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.scenarios import (
    FORWARD,
    LEFT,
    RIGHT,
    Scenarios,
    configuration_names,
    decision_points,
)
from dtinterp.interventions.instruction_flip.specification import Specification
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.network.layers import Block
from dtinterp.model.network.normalization import LayerNorm
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import TrainedModel
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import StateGraph
from environments.vocabulary import item_index

D_MODEL = 32
SITE = "blocks.0.hook_resid_pre"
TURNING_TIME = 4
CELLS = ((4, 2), (4, 3), (0, 5), (2, 6))


def _basis() -> Float32[Tensor, "d_model vector"]:
    """Orthonormal vectors of mean zero, which layer norm neither centres away nor mixes."""
    drawn = torch.randn(D_MODEL, D_MODEL, generator=torch.Generator().manual_seed(3))
    drawn[:, 0] = 1.0
    return torch.linalg.qr(drawn).Q[:, 1:]


@pytest.fixture(scope="session")
def planted_direction() -> Float32[Tensor, " d_model"]:
    return _basis()[:, 0]


@pytest.fixture(scope="session")
def planted_model() -> DecisionTransformer:
    """Left if and only if the remembered instruction and the left target agree; forward at every other time.

    The instruction lies along `instruction` in key and ball items, attention averages it into `remembered`, and the MLP
    multiplies signs: |a + b| − |a − b| has the sign of ab.
    """
    config = ModelConfig(d_model=D_MODEL, n_layers=1, n_heads=1, d_mlp=4, act_fn="relu", n_slots=10, max_time=50)
    model = DecisionTransformer(config, torch.Generator().manual_seed(0))
    basis = _basis()
    instruction, remembered, target, walking, turning = basis[:, :5].T
    block = cast(Block, model.blocks[0])
    silent = basis[:, 5:]  # where everything else is written
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for norm in (block.ln1, block.ln2, model.ln_final):
            cast(LayerNorm, norm).w.fill_(1.0)
        noise = torch.randn(980, silent.shape[1], generator=torch.Generator().manual_seed(1))
        model.W_obs.copy_(0.02 * noise @ silent.T)
        for sign, thing in ((1, "key"), (-1, "ball")):
            for x, y in CELLS:
                model.W_obs[item_index(f"{thing} ({x},{y})")] += sign * instruction
            model.W_obs[item_index(f"{thing} (1,6)")] += sign * target
        assert model.W_time is not None
        model.W_time.copy_(20 * walking.expand(51, -1))
        model.W_time[TURNING_TIME] = 0.0
        attention, mlp = block.attn, block.mlp
        attention.W_V[0] = torch.outer(instruction, instruction)
        attention.W_O[0] = torch.outer(instruction, 50 * remembered)
        mlp.W_in.copy_(
            torch.stack([s * remembered + t * target for s, t in ((1, 1), (-1, -1), (1, -1), (-1, 1))], dim=1)
        )
        mlp.W_out.copy_(torch.stack([s * 5 * turning for s in (1, 1, -1, -1)]))
        model.W_U[:, LEFT], model.W_U[:, RIGHT] = 5 * turning, -5 * turning
        model.W_U[:, FORWARD] = 10 * walking
        model.b_U.fill_(-20.0)
        model.b_U[[LEFT, RIGHT, FORWARD]] = torch.tensor([0.0, 0.0, -2.0])
    return model.eval()


@pytest.fixture(scope="session")
def subject_of(trajectories: Trajectories) -> Callable[[DecisionTransformer], Subject]:
    """Makes a subject of a model: it is studied on walks of the static world."""

    def made(model: DecisionTransformer) -> Subject:
        manifest = Manifest("model", 1, {}, {}, seed=0, code="", packages={}, device="cpu", metrics={})
        artefact = Artefact(Path("made-by-hand"), {}, {}, manifest)
        return Subject(
            TrainedModel(model, TrainConfig(model=model.cfg, held_out=0.3), artefact), trajectories, artefact
        )

    return made


@pytest.fixture(scope="session")
def planted_subject(
    planted_model: DecisionTransformer, subject_of: Callable[[DecisionTransformer], Subject]
) -> Subject:
    return subject_of(planted_model)


@pytest.fixture(scope="session")
def random_model() -> DecisionTransformer:
    """Untrained, with embeddings large enough for the tests' tolerances to mean something."""
    config = ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32, n_slots=10, max_time=50)
    model = DecisionTransformer(config, torch.Generator().manual_seed(7))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(25)
    return model.eval()


@pytest.fixture(scope="session")
def scenarios(graph: StateGraph) -> Scenarios:
    return decision_points(graph, n_slots=10, target_return=0.892)


@pytest.fixture(scope="session")
def fields() -> dict[str, object]:
    """An experiment.yaml, read as text."""
    return yaml.safe_load(
        """
        world: MiniGrid-MemoryS7FixedStartStatic-v0
        target_return: 0.892
        site: blocks.0.hook_resid_pre
        direction: first_component
        cells: [[4, 2], [4, 3], [0, 5], [2, 6]]
        unit: instruction
        coefficients: [-2, -1, 0, 1, 2]
        strength: 1
        decoys: [[[0, 5]], [[0, 5], [4, 2]]]
        n_draws: 30
        closed_loop: {samplers: [greedy, temperature=1], n_episodes: 24, n_draws: 3}
        seed: 0
        """
    )


@pytest.fixture(scope="session")
def specify(fields: dict[str, object]) -> Callable[..., Specification]:
    """Returns the specification with some fields changed."""
    return lambda **changes: Specification.model_validate({**fields, **changes})


@pytest.fixture(scope="session")
def planted_report(planted_model: DecisionTransformer, specify: Callable[..., Specification]) -> InterventionReport:
    return run_experiment(specify(), planted_model)


class Studied(Subject):
    """As much of a subject as edits ask for: a model, and its decision points as what it was trained on."""

    def __init__(self, model: DecisionTransformer, scenarios: Scenarios) -> None:
        vars(self).update(is_untrained=False, untrained=model, items=scenarios.items, shown=scenarios.windows)

    @property
    def model(self) -> DecisionTransformer:
        return self.untrained

    def train_windows(self, n: int, *, seed: int) -> Windows:  # noqa: ARG002
        return vars(self)["shown"]


@pytest.fixture
def names(random_model: DecisionTransformer, scenarios: Scenarios) -> Bindings:
    """The four decision points in a random model, with a dictionary and directions that are not orthogonal."""
    d_model = random_model.cfg.d_model
    drawn = random_directions(3, d_model, torch.Generator().manual_seed(1))
    rotation = torch.linalg.qr(torch.randn(d_model, d_model, generator=torch.Generator().manual_seed(2))).Q
    dictionary = Dictionary(
        W_enc=rotation,
        b_enc=torch.zeros(d_model),
        W_dec=rotation.T.contiguous(),
        b_dec=torch.zeros(d_model),
        kind=Pca(n_components=d_model),
        scale=torch.tensor(2.0),
        site=SITE,
        name="turned",
    )
    return Bindings(
        Studied(random_model, scenarios),
        scenarios.windows,
        scenarios.items,
        configuration_names(),
        {"turned": dictionary},
        {
            "one": (drawn[:1], SITE),
            "other": (normalize(drawn[1:2] + drawn[:1]), SITE),
            "plane": (torch.linalg.qr(drawn[1:].T).Q.T, SITE),
        },
    )


@pytest.fixture
def there(names: Bindings) -> Float32[Tensor, "window d_model"]:
    """What the newest frames of the decision points hold."""
    at = edit_of({"ablate": {"token": "whole"}, "at": SITE}).at
    return names.rows(at.site, at.slots, at.token).value
