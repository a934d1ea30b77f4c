"""Training of models of many sizes from many seeds, each of which then plays."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.pool import carry_out
from dtinterp.foundation.jobs.unfinished import unfinished_beside
from dtinterp.foundation.logbook import progress
from dtinterp.interventions.returns.calibration import Play, calibration_of
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import load_model, save_model
from dtinterp.model.training.sizes import Scores, Tried
from dtinterp.model.training.sweep import Sweep, SweepTrial, config_of, trials_of
from dtinterp.model.training.train import ModelRecord, train_model
from dtinterp.model.validation import validate, validation_windows


@dataclass(frozen=True)
class SweepSetup:
    """What the trials of a sweep share; it travels to other machines as one."""

    trajectories: Trajectories
    sweep: Sweep
    folder: Path | None
    """where an interrupted trial leaves its state; none on another machine"""

    @property
    def target_return(self) -> float:
        """The return that every model is asked for."""
        asked = self.sweep.target_return
        return float(self.trajectories.return_to_go.max()) if asked is None else asked


@dataclass(frozen=True)
class TrainedTrial:
    """A trial that came to an end."""

    weights: Mapping[str, Tensor]
    scores: Scores


@dataclass(frozen=True)
class KeptTrials:
    """The models that a sweep has trained so far, each an artefact."""

    path: Path
    sweep: Sweep
    parent: Artefact

    def find(self, trial: SweepTrial, asked: Mapping[str, float]) -> Tried | None:
        """Return the trial if it is here. Raises `UserError` where another one has its place."""
        if not (self.path / trial.name).exists():
            return None
        kept = load_model(self.path / trial.name, parent=self.parent)
        metrics = kept.artefact.manifest.metrics
        if kept.config != config_of(trial, self.sweep) or metrics["asked"] != asked:
            raise UserError(f"{kept.artefact.path} is a trial with other settings: give another --out, or remove it.")
        return Tried(trial, TypeAdapter(Scores).validate_python(metrics["scores"]))

    def put(self, trial: SweepTrial, made: TrainedTrial, asked: Mapping[str, float]) -> None:
        """Keep a model that was trained, here or elsewhere."""
        config = config_of(trial, self.sweep)
        model = DecisionTransformer(config.model, torch.Generator())
        model.load_state_dict(dict(made.weights))
        metrics = {"scores": asdict(made.scores), "asked": dict(asked)}
        save_model(self.path / trial.name, model, config, parent=self.parent, metrics=metrics)
        unfinished_beside(self.path / trial.name).unlink(missing_ok=True)


def try_all(kept: KeptTrials, setup: SweepSetup, ray_address: str | None) -> Iterator[Tried]:
    """Yield the trials of a sweep: those kept already, then the others as they end, each of which is kept."""
    asked = {"target_return": setup.target_return, "n_episodes": setup.sweep.n_episodes}
    trials = trials_of(setup.sweep)
    found = [one for trial in trials if (one := kept.find(trial, asked))]
    yield from found
    left = {trial.name: trial for trial in trials if trial not in {one.trial for one in found}}
    with progress("sweeping", len(trials), completed=len(found), is_shown=ray_address is not None) as bar:
        wants_gpu = setup.sweep.training.device != "cpu"
        for finished in carry_out(partial(try_out, setup), left, ray_address=ray_address, wants_gpu=wants_gpu):
            outcome = finished.outcome
            if isinstance(outcome, TrainedTrial):
                kept.put(left[finished.name], outcome, asked)
                outcome = outcome.scores
            bar.advance(note=finished.name)
            yield Tried(left[finished.name], outcome)


def try_out(setup: SweepSetup, trial: SweepTrial) -> TrainedTrial:
    """Train a model of a trial's size and let it play. Raises `UserError` where no model has that size."""
    began = time.perf_counter()
    config, trajectories = config_of(trial, setup.sweep), setup.trajectories
    sides = split_of(trajectories, config)
    items = coded(trajectories, config.model.n_items).table.to(device_of(config.device))
    unfinished = setup.folder and unfinished_beside(setup.folder / trial.name)
    model = train_model(trajectories, sides, config, items=items, record=ModelRecord(resume_file=unfinished)).eval()
    held_out = validate(model, validation_windows(trajectories, sides, config), items)
    play = Play(trajectories.env_id, Temperature(1.0), setup.sweep.n_episodes)
    (point,) = calibration_of(model, play, (setup.target_return,))
    seconds = round(time.perf_counter() - began, 1)
    scores = Scores(model.n_parameters, held_out.loss, held_out.accuracy, point.evaluation.success, seconds)
    return TrainedTrial({name: weight.cpu() for name, weight in model.state_dict().items()}, scores)
