"""Experiments that files describe: run, checked, listed, begun."""

import json
import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.flip import is_flip, try_on
from dtinterp.foundation import __version__
from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.artefacts.writing import whole_file, write_text
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.foundation.shipped import MODEL, SHIPPED_DICTIONARY
from dtinterp.interventions.experiment.opening import open_experiment
from dtinterp.interventions.experiment.result import EXPERIMENT, ExperimentResult
from dtinterp.interventions.experiment.running import arms_of, changes_in, plays_in, run_opened
from dtinterp.interventions.experiment.specification import Experiment, read_experiment
from dtinterp.interventions.experiment.standing import TOLERANCE, differences, refuse_result, write_result
from dtinterp.interventions.experiment.tables import changes_table, endings_table, result_of
from dtinterp.interventions.experiment.template import template
from dtinterp.interventions.instruction_flip.report import INTERVENTION
from dtinterp.interventions.instruction_flip.result import result_of as result_of_flip
from dtinterp.report.figures.experiment import dose_response_figure, episodes_figure
from dtinterp.report.style import CONFIG

FILE, RESULT = "experiment.yaml", "result.json"
EXPERIMENTS, RESULTS = Path("experiments"), Path("results") / "experiments"


def run(
    file: Path, /, *, model: Path | None = None, out: Path | None = None, replace: bool = False
) -> Mapping[str, JSON]:
    """Run an experiment, and hold its numbers against the result.json beside the question.

    Where no result.json stands, it is written; one that stands is left as it is, and so it is on another model than the
    file names. Every change goes to OUT.parquet, figures to OUT.html. An interrupted call goes on where it stopped.

    Args:
        file: the experiment.yaml.
        model: folder of the model; none: the one that the file names.
        out: folder of the report; by default results/experiments/NAME, after the experiment's folder.
        replace: write report and result.json anew where they exist.
    """
    folder, result = out or RESULTS / file.resolve().parent.name, file.with_name(RESULT)
    standing = read_json(result) if result.is_file() and not replace else None
    if standing is None:
        refuse_result(result, replace=replace)
    if is_flip(file):
        artefact = try_on(file, model=model or MODEL, out=folder, replace=replace)
        report = load(folder, INTERVENTION)
        found, said = result_of_flip(report, artefact), {"refuted by": " ".join(report.refutations) or "nothing"}
        said["turned"] = f"{report.dose.n_turned} of {len(report.configurations)} configurations"
    else:
        artefact = try_experiment(file, model=model, out=folder, replace=replace)
        report = load(folder, EXPERIMENT)
        found, said = result_of(report, artefact), {"in words": report.in_words}
        said["refuted by"] = " ".join(report.refuted_by) or "nothing"
        if _is_elsewhere(file, model):
            return {"report": str(artefact.path), **said, "result": f"on another model: {result} is left as it is"}
    if standing is None:
        write_result(result, found, replace=replace)
    told = f"written to {result}" if standing is None else _held(result, differences(standing, found))
    return {"report": str(artefact.path), **said, "result": told}


def check(file: Path, /, *, model: Path | None = None) -> Mapping[str, JSON]:
    """Open everything that an experiment names, and say what would run and for how long.

    Args:
        file: the experiment.yaml.
        model: folder of the model; none: the one that the file names.
    """
    opened = open_experiment(_experiment(file, model))
    arms, plays = arms_of(opened), plays_in(opened)
    began = time.perf_counter()
    changes_in(opened, arms[0])
    seconds = (time.perf_counter() - began) * len(arms)
    if plays:
        began = time.perf_counter()
        next(iter(plays)).play()
        seconds += (time.perf_counter() - began) * len(plays)
    families = {family: sum(arm.family == family for arm in arms) for family in dict.fromkeys(a.family for a in arms)}
    return {
        "subject": repr(opened.names.subject),
        "windows": f"{len(opened.names.names)}: {', '.join(opened.names.names[:8])}",
        "directions": ", ".join(opened.found) or "none",
        "doses": opened.n_doses,
        "arms": ", ".join(f"{family} {n}" for family, n in families.items()),
        "plays": len(plays),
        "seconds": round(seconds, 1),
    }


def list_experiments(folder: Path = EXPERIMENTS, /) -> Mapping[str, JSON]:
    """List the experiments of a folder: each question, and the verdict where it was run.

    Args:
        folder: folder with a folder for each experiment.
    """
    files = sorted(folder.glob(f"*/{FILE}"))
    if not files:
        raise UserError(f"{folder} holds no */{FILE}: begin one with dtinterp experiment new.")
    return {file.parent.name: _summary(file) for file in files}


def new(out: Path, /, *, model: Path = MODEL) -> Mapping[str, JSON]:
    """Write a commented experiment.yaml that runs, to begin from.

    Args:
        out: folder of the experiment, such as experiments/my-question.
        model: folder of the model.
    """
    file = out / FILE
    if file.exists():
        raise UserError(f"{file} exists already: give another folder.")
    out.mkdir(parents=True, exist_ok=True)
    dictionary = str(SHIPPED_DICTIONARY).replace(MODEL.name, "{model}")
    write_text(file, template(model=str(model), dictionary=f'"{dictionary}"'))
    return {"written": str(file), "run it": f"dtinterp experiment run {file}"}


def schema(out: Path = Path("experiment.schema.json"), /) -> Mapping[str, JSON]:
    """Write the JSON schema of experiment files, by which editors complete and check them.

    Args:
        out: file to write; what stands there is replaced.
    """
    write_text(out, json.dumps(Experiment.model_json_schema(), indent=1) + "\n")
    return {"written": str(out), "first line of a file": f"# yaml-language-server: $schema={out}"}


@claims_out
def try_experiment(file: Path, *, model: Path | None = None, out: Path, replace: bool = False) -> Artefact:
    """Run an experiment on any model: report, table and figures go to `out`; result.json stays as it is."""
    experiment = _experiment(file, model)
    opened = open_experiment(experiment)
    identity = {"code": __version__, "experiment": experiment.said, **_digests(opened.parents)}
    cache = open_job_cache(out.with_name(f"{out.name}.unfinished"), identity)
    with cache.joined():
        found = run_opened(opened, cache=cache)
    with whole_file(out.with_name(f"{out.name}.parquet")) as draft:
        changes_table(found).to_parquet(draft, index=False)
    write_text(out.with_name(f"{out.name}.html"), _page(found))
    artefact = save(out, found, parents=opened.parents, seed=experiment.seeds[0], replace=replace)
    cache.close()
    return artefact


def _experiment(file: Path, model: Path | None) -> Experiment:
    experiment = read_experiment(file)
    if model is None:
        return experiment
    subject = experiment.subject.model_copy(update={"model": str(model), "demonstrations": None})
    return experiment.model_copy(update={"subject": subject})


def _is_elsewhere(file: Path, model: Path | None) -> bool:
    return model is not None and model.resolve() != Path(read_experiment(file).subject.model).resolve()


def _digests(parents: Sequence[Artefact]) -> dict[str, str]:
    return {each.name: each.manifest.digest for each in parents}


def _page(found: ExperimentResult) -> str:
    """Return a page with one figure a measure, and one of whole episodes where some were played."""
    measures = changes_table(found).groupby("measure", sort=False)
    figures = [dose_response_figure(table) for _, table in measures]
    figures += [episodes_figure(endings) for endings in endings_table(found)]
    parts = [
        each.to_html(config=CONFIG, full_html=False, include_plotlyjs=place == 0) for place, each in enumerate(figures)
    ]
    title = str(found.experiment["question"])
    return f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title>" + "\n".join(
        [f"<h1>{escape(title)}</h1>", f"<p>{escape(found.in_words)}</p>", *parts]
    )


def _summary(file: Path) -> str:
    if is_flip(file):
        return "an instruction flip"
    result = file.with_name(RESULT)
    found = read_json(result) if result.is_file() else {}
    verdict = found.get("verdict", "not run yet") if isinstance(found, Mapping) else "not run yet"
    return f"{read_experiment(file).question} {verdict}"


def _held(result: Path, found: Sequence[str]) -> str:
    """Say whether a result that stands came out again."""
    if not found:
        return f"reproduced: every number of {result} came out again, to {TOLERANCE:g}"
    return f"{result} stands and differs in entries: {len(found)}, the first {found[0]}; --replace writes it anew"
