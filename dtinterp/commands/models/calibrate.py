"""A model and its demonstrations on disk become the returns that it achieves when asked for theirs, on disk."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.models.calibrating import Play, calibration_of
from dtinterp.demonstrations.samplers import Sampler, parse_sampler, sampler_name
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact, Content, refuse_existing, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import DEMONSTRATIONS, MODEL
from dtinterp.interventions.expectation import Bounds
from dtinterp.model.calibration import Calibration, Demand, demands
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import load_model

KIND = "calibration"


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


@claims_out
def calibrate(
    config: CalibrateConfig,
    out: Path = Path("results/calibration"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> Artefact:
    """Ask a model for the returns that each sampler of its demonstrations achieved, and measure what it achieves.

    Where the world's state graph is known and the policy reaches few windows, the return is computed exactly, or up to
    a bound that the interval states (n = 0, nothing was played); otherwise episodes are played.

    Args:
        config: how it is measured.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    trajectories, parent = load_trajectories(demonstrations)
    trained = load_model(model, parent=parent)
    if not trained.model.cfg.return_to_go:
        raise UserError(f"{model} clones behaviour and is asked for no return: give a model that is told one.")
    found = list(calibrations(trained.model, trajectories, config))
    metrics = {
        "calibrations": [asdict(each) for each in found],
        "error": {f"{_title(each.demand)}, acting {each.acting}": asdict(each.error) for each in found},
    }
    content = Content(KIND, asdict(config), {}, metrics)
    return write_artefact(out, content, parents=(trained.artefact, parent), seed=config.seed, replace=replace)


def calibrations(
    model: DecisionTransformer, trajectories: Trajectories, config: CalibrateConfig
) -> Iterator[Calibration]:
    """Yield what the model achieves for the demand of each sampler in each world, each way of acting apart."""
    asked = demands(trajectories, n_groups=config.n_groups)
    with progress("calibrating", len(asked) * len(config.sampler)) as bar:
        for demand in asked:
            for acting in map(parse_sampler, config.sampler):
                yield _calibration(model, demand, acting, config)
                bar.advance(note=f"{_title(demand)}, acting {sampler_name(acting)}")


def _calibration(model: DecisionTransformer, demand: Demand, acting: Sampler, config: CalibrateConfig) -> Calibration:
    bounds = Bounds(config.n_followed, config.tolerance)
    play = Play(demand.env_id, acting, config.n_episodes, config.seed, bounds)
    points = calibration_of(model, play, demand.targets)
    return Calibration(demand, sampler_name(acting), tuple(points))


def _title(demand: Demand) -> str:
    return f"{demand.sampler} in {demand.env_id}"
