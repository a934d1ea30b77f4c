"""The command that trains a decision transformer and calibrates it."""

from dataclasses import asdict
from pathlib import Path

import gymnasium

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.data.collect import DEMONSTRATIONS
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log, unfinished_beside
from dtinterp.foundation.logbook import Logbook, notice
from dtinterp.foundation.ranges import LARGEST, require_between
from dtinterp.interventions.returns.calibration import N_EPISODES, PROBED, closing_calibrations, success_probe
from dtinterp.model.breakdown import break_down
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.frames import coded
from dtinterp.model.split import split_of
from dtinterp.model.storage import save_model
from dtinterp.model.training.ranks import joined_ranks
from dtinterp.model.training.snapshots import CheckpointFolder
from dtinterp.model.training.train import ModelRecord, Probe
from dtinterp.model.training.train import train_model as train
from dtinterp.model.validation import validation_windows
from environments.resets import beginnings

MODEL = Path("results/model")


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
        "split": sides.counts,
        "validation": asdict(break_down(model, held_out, items, trajectories, seed=config.seed)),
        "calibration": closing_calibrations(model, trajectories.env_ids, n_calibration_episodes),
    }
    artefact = save_model(out, model, config, parent=parent, metrics=metrics, replace=replace)
    keep_log(out)
    unfinished_beside(out).unlink(missing_ok=True)
    return artefact


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
