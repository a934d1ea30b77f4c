"""Calibration: for each return asked of a model, the return that it then achieves, computed or played.

`calibration_of` decides every point of a calibration, so of the report's figure too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from pydantic import TypeAdapter

from dtinterp.demonstrations.evaluate import Evaluation, evaluate
from dtinterp.demonstrations.samplers import Greedy, Sampler, Temperature, parse_sampler, sampler_name
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.returns.expectation import Bounds, evaluation_of, expectation
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import WindowPolicy
from dtinterp.model.training.train import Probe
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import state_graph
from environments.making import make_worlds
from environments.registration import SUPPORTED_IDS

TARGETS = (0.0, 0.25, 0.5, 0.75, 0.892, 0.95)
"""Returns asked for in a calibration; 0.892 is the best that the seven-by-seven Memory world pays."""
PROBED = (0.0, 0.892)
"""Returns asked for at each measurement of a training."""
N_EPISODES = 2000
"""Episodes per point of a closing calibration that is not exact."""
FOLLOWED = Bounds(n_followed=2000, tolerance=0.0)
"""How many of a greedy model's windows are followed at one time: all that there are, else episodes are played."""
N_PROBE_EPISODES = 200
"""Episodes per point of the training log."""


@dataclass(frozen=True)
class CalibrationPoint:
    """What a model does when asked for a return."""

    target_return: float
    """0 where the model is asked for nothing, since it clones behaviour"""
    evaluation: Evaluation


@dataclass(frozen=True)
class Demand:
    """Returns that a sampler of the demonstrations achieved in a world, which a model can fairly be asked for."""

    env_id: str
    sampler: str
    targets: tuple[float, ...]
    """mean returns of equal groups of its episodes, from the worst group to the best; equal ones once"""
    shares: tuple[float, ...]
    """which part of its episodes each stands for"""


@dataclass(frozen=True)
class Calibration:
    """What a model achieves when asked for the returns of a demand."""

    demand: Demand
    acting: str
    """the sampler of the model's own actions"""
    points: tuple[CalibrationPoint, ...]

    @property
    def error(self) -> Interval:
        """How far the return achieved is from the one asked for, on average over the demonstrations' episodes.

        It lies between its bounds where each return achieved lies in its own interval; n counts episodes, 0 if none was
        played.
        """
        missed = [_distance(point) for point in self.points]
        estimate, low, high = (
            sum(share * each for share, each in zip(self.demand.shares, column, strict=True))
            for column in zip(*missed, strict=True)
        )
        return Interval(estimate, low, high, n=sum(point.evaluation.mean_return.n for point in self.points))


@dataclass(frozen=True)
class CalibrationStudy:
    """What a model achieves in each world, each way of acting apart."""

    calibrations: tuple[Calibration, ...]


CALIBRATION = ArtefactKind("calibration", CalibrationStudy, places={"": "metrics"})


def _distance(point: CalibrationPoint) -> tuple[float, float, float]:
    """Return how far a return is from the one asked for, and the least and the most that its interval allows."""
    achieved, asked = point.evaluation.mean_return, point.target_return
    ends = (abs(achieved.low - asked), abs(achieved.high - asked))
    least = 0.0 if achieved.low <= asked <= achieved.high else min(ends)
    return abs(achieved.estimate - asked), least, max(ends)


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
    """Return what the model achieves for each return asked of it: computed, bounded (n = 0), or from episodes.

    A model that clones behaviour has one point, since nothing is asked.
    """
    worlds = make_worlds(play.env_id, play.n_episodes, generator=generator(play.seed, "calibration/layouts"))
    items = coded(worlds, model.cfg.n_items)

    def achieved(target: float) -> Evaluation:
        policy, actions = WindowPolicy(model, items, target_return=target), generator(play.seed, "calibration/actions")
        return _on_graph(policy, play) or evaluate(policy, worlds, play.acting, generator=actions)

    asked = targets if model.cfg.return_to_go else [0.0 for _ in targets[:1]]
    return [CalibrationPoint(target, achieved(target)) for target in asked]


def _on_graph(policy: WindowPolicy, play: Play) -> Evaluation | None:
    """Return what the policy earns, or nothing where that is not asked for, or too much of it would not be followed."""
    if (bounds := play.bounds) is None or play.env_id not in SUPPORTED_IDS:
        return None
    graph = state_graph(play.env_id)
    expected = expectation(policy.model, graph, play.acting, target_return=policy.target_return, bounds=bounds)
    is_bounded = expected.unfollowed <= bounds.tolerance
    return evaluation_of(expected, max_steps=graph.max_steps) if is_bounded else None


@dataclass(frozen=True)
class CalibrateConfig:
    """How a calibration is measured."""

    sampler: tuple[str, ...] = ("greedy", "temperature=1")
    """how the model's actions are drawn, each way apart"""
    n_groups: int = 5
    """groups of a sampler's episodes, ordered by return; the mean return of each is asked for"""
    n_followed: int = 2000
    """windows followed at one time where the state graph is known"""
    tolerance: float = 0.001
    """probability of other windows above which episodes are played instead"""
    n_episodes: int = 2000
    """episodes played a point, the same starts for all"""
    seed: int = 0
    """seed of starts and actions"""

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        require_at_least(self, 1, "n_groups", "n_followed", "n_episodes")
        require_at_least(self, 0, "tolerance")
        if not self.sampler:
            raise UserError("sampler is empty, expected at least one way to draw actions: give greedy, or others.")
        for name in self.sampler:
            parse_sampler(name)
        require_sensible(self)


def demands(trajectories: Trajectories, *, n_groups: int) -> list[Demand]:
    """Return what each sampler achieved in each world, in `n_groups` groups of its episodes, ordered by return.

    A sampler without episodes in a world demands nothing there. Returns are rounded to three decimals.
    """
    if n_groups < 1:
        raise UserError(f"there are {n_groups} groups of episodes, expected at least 1.")
    returns, found = trajectories.episode_return, []
    for world, env_id in enumerate(trajectories.env_ids):
        for index, sampler in enumerate(trajectories.samplers):
            chosen = (trajectories.world == world) & (trajectories.sampler == index)
            groups = [group for group in returns[chosen].sort().values.tensor_split(n_groups) if len(group)]
            means = torch.tensor([round(group.double().mean().item(), 3) for group in groups], dtype=torch.float64)
            targets, count = means.unique(return_counts=True)
            if groups:
                shares = (count.double() / len(groups)).tolist()
                found.append(Demand(env_id, sampler, tuple(targets.tolist()), tuple(shares)))
    return found


def calibrate(subject: Subject, config: CalibrateConfig = CalibrateConfig()) -> Iterator[Calibration]:
    """Yield what the model achieves for the demand of each sampler in each world, each way of acting apart.

    Raises `UserError` for a model that is told no return.
    """
    if not subject.model.cfg.return_to_go:
        path = subject.trained.artefact.path
        raise UserError(f"{path} clones behaviour and is asked for no return: give a model that is told one.")
    asked = demands(subject.trajectories, n_groups=config.n_groups)
    with progress("calibrating", len(asked) * len(config.sampler)) as bar:
        for demand in asked:
            for acting in map(parse_sampler, config.sampler):
                yield _calibration(subject.model, demand, acting, config)
                bar.advance(note=f"{title_of(demand)}, acting {sampler_name(acting)}")


def _calibration(model: DecisionTransformer, demand: Demand, acting: Sampler, config: CalibrateConfig) -> Calibration:
    bounds = Bounds(config.n_followed, config.tolerance)
    play = Play(demand.env_id, acting, config.n_episodes, config.seed, bounds)
    points = calibration_of(model, play, demand.targets)
    return Calibration(demand, sampler_name(acting), tuple(points))


def title_of(demand: Demand) -> str:
    """Return what a demand is called."""
    return f"{demand.sampler} in {demand.env_id}"


def closing_calibrations(model: DecisionTransformer, env_ids: Sequence[str], n_wanted: int) -> dict[str, JSON]:
    """Return the calibration by sampler; of a mixture, in each of its worlds; nothing where no episode is wanted."""
    if not n_wanted:
        return {}
    n_episodes = max(1, _share_of(n_wanted, env_ids))
    plays = [
        Play(env_id, sampler, n_episodes, bounds=bounds)
        for env_id in env_ids
        for sampler, bounds in ((Greedy(), FOLLOWED), (Temperature(1.0), None))
    ]
    return {
        f"{sampler_name(play.acting)}{_where(play.env_id, env_ids)}": [
            asdict(point) for point in calibration_of(model, play, TARGETS)
        ]
        for play in plays
    }


def _where(env_id: str, env_ids: Sequence[str]) -> str:
    return f" in {env_id}" if len(env_ids) > 1 else ""


def _share_of(n_episodes: int, env_ids: Sequence[str]) -> int:
    """Return how many episodes are played in a world; those of a mixture, which may be long, get a twentieth each."""
    return n_episodes if len(env_ids) == 1 else n_episodes // 20


def recorded_calibration(model: Artefact) -> Mapping[str, Sequence[CalibrationPoint]]:
    """Return the calibration that a model's artefact records, by sampler; empty where it records none."""
    recorded = model.manifest.metrics.get("calibration", {})
    return TypeAdapter(dict[str, tuple[CalibrationPoint, ...]]).validate_python(recorded)


def extremes(points: Sequence[CalibrationPoint]) -> tuple[CalibrationPoint, CalibrationPoint]:
    """Return the point of the lowest return asked for, and the one at which the model does best.

    Best is most success, then the largest return, then the least asked for.
    """
    return min(points, key=lambda point: point.target_return), max(points, key=_merit)


def _merit(point: CalibrationPoint) -> tuple[float, float, float]:
    evaluation = point.evaluation
    return evaluation.success.estimate, round(evaluation.mean_return.estimate, 3), -point.target_return


def success_probe(env_ids: Sequence[str], targets: Sequence[float] = PROBED) -> Probe:
    """Return what the training log records of behaviour: sampled episodes at some returns asked for, by world."""

    def probe(model: DecisionTransformer) -> dict[str, float]:
        shares: dict[str, float] = {}
        n_episodes = _share_of(N_PROBE_EPISODES, env_ids)
        for env_id in env_ids:
            where = _where(env_id, env_ids)
            for point in calibration_of(model, Play(env_id, Temperature(1.0), n_episodes), targets):
                asked = f"_at_{point.target_return:g}{where}" if model.cfg.return_to_go else where
                shares[f"success{asked}"] = point.evaluation.success.estimate
                shares[f"failure{asked}"] = point.evaluation.failure.estimate
                shares[f"return{asked}"] = point.evaluation.mean_return.estimate
        return shares

    return probe
