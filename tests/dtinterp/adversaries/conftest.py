"""A window of a memory world, and a model of it with weights that all matter."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from dtinterp.adversaries.cell_model import CellModel, cell_model
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.edits import SOURCES, EditSource, edits_of
from dtinterp.adversaries.edits.observation_edit import EditTable
from dtinterp.adversaries.naturalness import Budget, naturalness
from dtinterp.adversaries.objectives.actions import FlipLogits
from dtinterp.adversaries.objectives.features import FlipFeature
from dtinterp.adversaries.objectives.objective import Objective
from dtinterp.adversaries.problem import Problem
from dtinterp.adversaries.scene import Scene, scenes
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.interventions.instruction_flip.scenarios import configuration_names, decision_points
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph

MakeProblem = Callable[..., Problem]
CLOSE = FlipLogits(1, 4)
"""Two logits that lie close together in the first window, so that some edits flip them and some do not."""


@pytest.fixture(scope="session")
def views(graph: StateGraph) -> tuple[Scene, ...]:
    points = decision_points(graph, n_slots=10, target_return=0.892)
    return scenes(graph, points.windows, points.frames, configuration_names())


@pytest.fixture(scope="session")
def view(views: tuple[Scene, ...]) -> Scene:
    return views[0]


@pytest.fixture(scope="session")
def cells(trajectories: Trajectories) -> CellModel:
    return cell_model(trajectories, longest=20)


@pytest.fixture(scope="session")
def random_model() -> DecisionTransformer:
    config = ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32)
    model = DecisionTransformer(config, torch.Generator().manual_seed(7))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(25)
    return model.eval()


@pytest.fixture(scope="session")
def tables(view: Scene) -> dict[EditSource, EditTable]:
    return {source: edits_of(view, source) for source in SOURCES}


@pytest.fixture(scope="session")
def problem(
    view: Scene, tables: dict[EditSource, EditTable], cells: CellModel, random_model: DecisionTransformer
) -> MakeProblem:
    """Returns a problem of the first window, with some of its parts given."""

    def made(objective: Objective = CLOSE, edits: EditSource = "world", **budget: Any) -> Problem:
        table, settings = tables[edits], {"n_edits": 2, **budget}
        costs = naturalness(view, table, cells)
        return Problem(EditedWindow(random_model, view), table, costs, objective, Budget(**settings))

    return made


@pytest.fixture(scope="session")
def features() -> Dictionary:
    """A random dictionary of the observation embedding."""
    rng = torch.Generator().manual_seed(0)
    W_enc = torch.randn(16, 12, generator=rng)
    return Dictionary(
        W_enc=W_enc,
        b_enc=torch.randn(12, generator=rng),
        W_dec=W_enc.T.contiguous(),
        b_dec=torch.zeros(16),
        kind=TopK(6),
        site="hook_obs_embed",
        name="random",
        scale=torch.tensor(1.3),
    )


@pytest.fixture(scope="session")
def linear(features: Dictionary) -> FlipFeature:
    """An objective that is linear in the embeddings."""
    return FlipFeature(features, 3, slot=0)
