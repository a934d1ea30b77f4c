"""The command that trains models of many sizes, with a table and a figure of how they fare."""

import csv
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.artefacts.writing import whole_file, write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.pool import Failed
from dtinterp.foundation.jobs.unfinished import begin_log, keep_log
from dtinterp.foundation.logbook import Logbook
from dtinterp.interventions.returns.sweeping import KeptTrials, SweepSetup, try_all
from dtinterp.model.training.sizes import COLUMNS, Scores, SweepResult, Tried, sizes_of
from dtinterp.model.training.sweep import read_sweep
from dtinterp.report.figures.sizes import sizes_figure
from dtinterp.report.style import CONFIG

SWEEP = Path("results/sweep")


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
    kept = KeptTrials(out.with_name(f"{out.name}.trials"), asked, parent)
    setup = SweepSetup(trajectories, asked, kept.path if ray_address is None else None)
    log = Logbook(begin_log(out, fresh=True))
    tried = [_logged(each, log) for each in try_all(kept, setup, ray_address)]
    sizes = sizes_of(tried)
    failed = {each.trial.name: each.outcome.reason for each in tried if isinstance(each.outcome, Failed)}
    if not sizes:
        (name, reason), *_ = failed.items()
        raise UserError(f"no trial of {file} came to an end; {name} failed: {reason}")
    named = {f"width {size.d_model}, layers {size.n_layers}": size for size in sizes}
    _write_table(out.with_name(f"{out.name}.csv"), tried)
    page = sizes_figure(sizes, tried).to_html(config=CONFIG)
    write_text(out.with_name(f"{out.name}.html"), page)
    beside = Beside(asked.model_dump(mode="json"))
    found = SweepResult(named, failed)
    artefact = save(out, found, parents=(parent,), seed=asked.seeds[0], replace=replace, beside=beside)
    keep_log(out)
    return artefact


def _logged(tried: Tried, log: Logbook) -> Tried:
    match tried.outcome:
        case Scores(n_parameters=n_parameters, loss=loss, success=success):
            log.write(trial=tried.trial.name, n_parameters=n_parameters, loss=loss, success=success.estimate)
        case Failed(reason):
            log.write(trial=tried.trial.name, failed=reason)
    return tried


def _write_table(path: Path, tried: Sequence[Tried]) -> None:
    """Write a row a trial, by size and seed."""
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(each.row for each in sorted(tried, key=lambda each: astuple(each.trial)))
