"""Demonstrations on disk become a calibrated decision transformer on disk."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import gymnasium

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.data.collect import DEMONSTRATIONS
from dtinterp.commands.models.calibrating import Play, calibration_of
from dtinterp.dataset.split import Split
from dtinterp.demonstrations.samplers import Greedy, Temperature, sampler_name
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, refuse_existing
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log, unfinished_beside
from dtinterp.foundation.logbook import Logbook, notice
from dtinterp.foundation.ranges import LARGEST, require_between
from dtinterp.interventions.expectation import Bounds
from dtinterp.model.breakdown import break_down
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import save_model
from dtinterp.model.training.ranks import joined_ranks
from dtinterp.model.training.snapshots import CheckpointFolder
from dtinterp.model.training.train import ModelRecord, Probe
from dtinterp.model.training.train import train_model as train
from dtinterp.model.validation import validation_windows
from environments.resets import beginnings

MODEL = Path("results/model")
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


@claims_out
def train_model(
    config: TrainConfig,
    demonstrations: Path = DEMONSTRATIONS,
    out: Path = MODEL,
    *,
    probe_returns: tuple[float, ...] = PROBED,
    n_calibration_episodes: int = N_EPISODES,
    replace: bool = False,
) -> Artefact | None:
    """Train a decision transformer and calibrate it: exactly where it acts greedily and the world's states are known.

    Elsewhere 2,000 episodes are played for each return asked for, in each world of a mixture a twentieth of them. An
    interrupted training goes on where it stopped when the same command is given again. Models kept on the way go to
    OUT.steps, one folder each. Several processes train one model together where torchrun starts the command; the first
    of them returns the artefact, the others nothing.

    Args:
        config: shape and training.
        demonstrations: folder of the trajectories, as collect wrote it.
        out: folder to write.
        probe_returns: returns asked for at each measurement; the log keeps what 200 episodes each achieve.
        n_calibration_episodes: episodes per point of the closing calibration, where it is not exact; 0 leaves it out.
        replace: write it anew where it exists.
    """
    require_between("n_calibration_episodes", n_calibration_episodes, 0)
    for each in probe_returns:
        require_between("probe_returns", each, -LARGEST)
    refuse_existing(out, replace=replace, beside=(".jsonl",))
    trajectories, parent = load_trajectories(demonstrations)
    for env_id in trajectories.env_ids:
        if env_id in gymnasium.registry and (unread := beginnings(env_id).unread_mission):
            notice(unread)
    sides = split_of(trajectories, config)
    with joined_ranks(device_of(config.device)) as ranks:
        items = coded(trajectories, config.model.n_items).table.to(ranks.device)
        probe = success_probe(trajectories.env_ids, probe_returns)
        record = _record(out, config, parent, probe) if ranks.is_first else ModelRecord()
        model = train(trajectories, sides, config, items=items, record=record, ranks=ranks).eval()
    if not ranks.is_first:
        return None
    held_out = validation_windows(trajectories, sides, config)
    metrics = {
        "n_parameters": model.n_parameters,
        "split": counts_of(sides),
        "validation": asdict(break_down(model, held_out, items, trajectories, seed=config.seed)),
        "calibration": _calibrations(model, trajectories.env_ids, n_calibration_episodes),
    }
    artefact = save_model(out, model, config, parent=parent, metrics=metrics, replace=replace)
    keep_log(out)
    unfinished_beside(out).unlink(missing_ok=True)
    return artefact


def _calibrations(model: DecisionTransformer, env_ids: Sequence[str], n_wanted: int) -> dict[str, JSON]:
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


def counts_of(split: Split) -> dict[str, int]:
    """Return how much was held out, and how many frames training never shows."""
    return {
        "n_contents": split.n_contents,
        "n_train_steps": len(split.train),
        "n_held_out_steps": len(split.held_out),
        "n_held_out_frames": len(split.held_out_frames),
    }


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


def _record(out: Path, config: TrainConfig, parent: Artefact, probe: Probe) -> ModelRecord:
    """Return what is kept beside `out` while it is trained. Raises `UserError` where another training's models are."""
    checkpoints = CheckpointFolder(out.with_name(f"{out.name}.steps"), config, parent)
    checkpoints.require_own()
    unfinished = unfinished_beside(out)
    return ModelRecord(
        logbook=Logbook(begin_log(out, fresh=not unfinished.exists())),
        resume_file=unfinished,
        probe=probe,
        keeper=checkpoints if config.n_checkpoints else None,
    )
