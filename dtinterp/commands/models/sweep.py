"""A sweep.yaml becomes models of many sizes, a table of how they fare, and a figure."""

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.commands.claiming import claims_out
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefacts.artefact import Artefact, Content, refuse_existing, write_artefact
from dtinterp.foundation.artefacts.writing import whole_file, write_text
from dtinterp.foundation.devices import device_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.pool import Failed, carry_out
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log, unfinished_beside
from dtinterp.foundation.logbook import Logbook, progress
from dtinterp.interventions.calibrating import Play, calibration_of
from dtinterp.model.network.frames import coded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import load_model, save_model
from dtinterp.model.training.sizes import Scores, Tried, sizes_of
from dtinterp.model.training.sweep import Sweep, SweepTrial, config_of, read_sweep, trials_of
from dtinterp.model.training.train import ModelRecord, train_model
from dtinterp.model.validation import validate, validation_windows
from dtinterp.report.figures.sizes import sizes_figure
from dtinterp.report.style import CONFIG

SWEEP = Path("results/sweep")
KIND = "sweep"
COLUMNS: tuple[str, ...] = (
    "d_model",
    "n_layers",
    "seed",
    "n_parameters",
    "loss",
    "accuracy",
    "success",
    "success_low",
    "success_high",
    "n_episodes",
    "seconds",
    "failed",
)


@dataclass(frozen=True)
class Ground:
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
class Made:
    """A trial that came to an end."""

    weights: Mapping[str, Tensor]
    scores: Scores


@claims_out
def sweep(file: Path, /, *, out: Path = SWEEP, ray_address: str | None = None, replace: bool = False) -> Artefact:
    """Train models of many sizes from many seeds, and hold loss and success against their parameters.

    Trained models go to OUT.trials, one folder each; the table goes to OUT.csv, the figure to OUT.html. A sweep that
    was interrupted goes on when called again, and one that has ended with `replace`; both keep what is trained already,
    also for another list of sizes or seeds. A trial that fails is reported and does not lose the others; such a call
    tries it again.

    Args:
        file: the sweep.yaml.
        out: folder to write.
        ray_address: where Ray runs the trials, many at a time: local for the cores of this machine, or the HOST:PORT of
            a cluster (pip install 'dtinterp[ray]'); without it they run here, one after another.
        replace: write the sweep anew where it exists; its trained models stay.
    """
    asked = read_sweep(file)
    refuse_existing(out, replace=replace, beside=(".csv", ".html", ".jsonl"))
    trajectories, parent = load_trajectories(asked.demonstrations)
    if len(trajectories.env_ids) > 1:
        raise UserError(f"{asked.demonstrations} is a mixture, expected the demonstrations of one world: give others.")
    shelf = _Shelf(out.with_name(f"{out.name}.trials"), asked, parent)
    ground = Ground(trajectories, asked, shelf.path if ray_address is None else None)
    log = Logbook(begin_log(out, fresh=True))
    tried = [_logged(each, log) for each in _all_tried(shelf, ground, ray_address)]
    sizes = sizes_of(tried)
    if not sizes:
        (name, reason), *_ = _failures(tried).items()
        raise UserError(f"no trial of {file} came to an end; {name} failed: {reason}")
    metrics = {
        "sizes": {f"width {size.d_model}, layers {size.n_layers}": asdict(size) for size in sizes},
        "failed": _failures(tried),
    }
    content = Content(KIND, asked.model_dump(mode="json"), {}, metrics)
    _write_table(out.with_name(f"{out.name}.csv"), tried)
    page = sizes_figure(sizes, tried).to_html(config=CONFIG)
    write_text(out.with_name(f"{out.name}.html"), page)
    artefact = write_artefact(out, content, parents=(parent,), seed=asked.seeds[0], replace=replace)
    keep_log(out)
    return artefact


def try_out(ground: Ground, trial: SweepTrial) -> Made:
    """Train a model of a trial's size and let it play. Raises `UserError` where no model has that size."""
    began = time.perf_counter()
    config, trajectories = config_of(trial, ground.sweep), ground.trajectories
    sides = split_of(trajectories, config)
    items = coded(trajectories, config.model.n_items).table.to(device_of(config.device))
    unfinished = ground.folder and unfinished_beside(ground.folder / trial.name)
    model = train_model(trajectories, sides, config, items=items, record=ModelRecord(resume_file=unfinished)).eval()
    held_out = validate(model, validation_windows(trajectories, sides, config), items)
    play = Play(trajectories.env_id, Temperature(1.0), ground.sweep.n_episodes)
    (point,) = calibration_of(model, play, (ground.target_return,))
    seconds = round(time.perf_counter() - began, 1)
    scores = Scores(model.n_parameters, held_out.loss, held_out.accuracy, point.evaluation.success, seconds)
    return Made({name: weight.cpu() for name, weight in model.state_dict().items()}, scores)


@dataclass(frozen=True)
class _Shelf:
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

    def put(self, trial: SweepTrial, made: Made, asked: Mapping[str, float]) -> None:
        """Keep a model that was trained, here or elsewhere."""
        config = config_of(trial, self.sweep)
        model = DecisionTransformer(config.model, torch.Generator())
        model.load_state_dict(dict(made.weights))
        metrics = {"scores": asdict(made.scores), "asked": dict(asked)}
        save_model(self.path / trial.name, model, config, parent=self.parent, metrics=metrics)
        unfinished_beside(self.path / trial.name).unlink(missing_ok=True)


def _all_tried(shelf: _Shelf, ground: Ground, ray_address: str | None) -> Iterator[Tried]:
    """Yield the trials that are there already, then the others as they end."""
    asked = {"target_return": ground.target_return, "n_episodes": ground.sweep.n_episodes}
    trials = trials_of(ground.sweep)
    found = [kept for trial in trials if (kept := shelf.find(trial, asked))]
    yield from found
    left = {trial.name: trial for trial in trials if trial not in {kept.trial for kept in found}}
    with progress("sweeping", len(trials), completed=len(found), is_shown=ray_address is not None) as bar:
        wants_gpu = ground.sweep.training.device != "cpu"
        for finished in carry_out(partial(try_out, ground), left, ray_address=ray_address, wants_gpu=wants_gpu):
            outcome = finished.outcome
            if isinstance(outcome, Made):
                shelf.put(left[finished.name], outcome, asked)
                outcome = outcome.scores
            bar.advance(note=finished.name)
            yield Tried(left[finished.name], outcome)


def _logged(tried: Tried, log: Logbook) -> Tried:
    match tried.outcome:
        case Scores(n_parameters=n_parameters, loss=loss, success=success):
            log.write(trial=tried.trial.name, n_parameters=n_parameters, loss=loss, success=success.estimate)
        case Failed(reason):
            log.write(trial=tried.trial.name, failed=reason)
    return tried


def _failures(tried: Sequence[Tried]) -> dict[str, str]:
    return {each.trial.name: each.outcome.reason for each in tried if isinstance(each.outcome, Failed)}


def _write_table(path: Path, tried: Sequence[Tried]) -> None:
    """Write a row a trial, by size and seed."""
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for each in sorted(tried, key=lambda each: astuple(each.trial)):
            writer.writerow({**asdict(each.trial), **_cells(each.outcome)})


def _cells(outcome: Scores | Failed) -> Mapping[str, object]:
    match outcome:
        case Failed(reason):
            return {"failed": reason}
        case Scores():
            success = {"success": outcome.success.estimate, "success_low": outcome.success.low}
            success |= {"success_high": outcome.success.high, "n_episodes": outcome.success.n}
            return {name: value for name, value in vars(outcome).items() if name != "success"} | success
