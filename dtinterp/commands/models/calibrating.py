"""A model in a world becomes the returns that it achieves there: exactly where possible, else in episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import Sampler
from dtinterp.foundation.seeding import generator
from dtinterp.interventions.expectation import Bounds, evaluation_of, expectation
from dtinterp.model.calibration import CalibrationPoint, calibrate
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from environments.graph.state_graph import state_graph
from environments.making import make_worlds
from environments.registration import SUPPORTED_IDS


@dataclass(frozen=True)
class Play:
    """How a model acts in a world while it is calibrated."""

    env_id: str
    acting: Sampler
    n_episodes: int
    """episodes a point, the same starts for all"""
    seed: int = 0
    """seed of starts and actions"""
    bounds: Bounds | None = None
    """with them no episode is played where the world's states are known and few enough windows are reached"""


def calibration_of(model: DecisionTransformer, play: Play, targets: Sequence[float]) -> list[CalibrationPoint]:
    """Return what the model achieves for each return asked of it: computed, bounded (n = 0), or from episodes."""
    worlds = make_worlds(play.env_id, play.n_episodes, generator=generator(play.seed, "calibration/layouts"))

    def judge(policy: WindowPolicy) -> Evaluation:
        actions = generator(play.seed, "calibration/actions")
        return _on_graph(policy, play) or evaluate(policy, worlds, play.acting, generator=actions)

    return calibrate(model, coded(worlds, model.cfg.n_items), targets=targets, judge=judge)


def _on_graph(policy: WindowPolicy, play: Play) -> Evaluation | None:
    """Return what the policy earns, or nothing where that is not asked for, or too much of it would not be followed."""
    if (bounds := play.bounds) is None or play.env_id not in SUPPORTED_IDS:
        return None
    graph = state_graph(play.env_id)
    expected = expectation(policy.model, graph, play.acting, target_return=policy.target_return, bounds=bounds)
    is_bounded = expected.unfollowed <= bounds.tolerance
    return evaluation_of(expected, max_steps=graph.max_steps) if is_bounded else None
