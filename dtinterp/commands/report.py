"""The command that renders the report of a study, and where a study's results are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dtinterp.agents.storage import AGENT
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.dictionary.dictionary import DICTIONARY
from dtinterp.dictionary.storage import load_dictionary, load_score
from dtinterp.equivalence.comparisons.model_comparison import MODEL_COMPARISON, ModelComparison
from dtinterp.equivalence.explain.explanations import EXPLANATION, PAIR, ExplainedClasses, ExplainedPair
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.features.labels.table import LABELS, LabelStudy
from dtinterp.features.table import FEATURES, FeatureTable
from dtinterp.foundation.artefacts.artefact import Artefact, label_at, read_artefact
from dtinterp.foundation.artefacts.codec import ArtefactKind, load_any, read
from dtinterp.foundation.artefacts.reading import read_json
from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.experiment.result import EXPERIMENT, ExperimentResult
from dtinterp.interventions.instruction_flip.report import INTERVENTION, InterventionReport
from dtinterp.interventions.replacements.dictionary_comparison import FEATURE_COMPARISON, DictionaryComparison
from dtinterp.model.storage import load_model
from dtinterp.report.page import render
from dtinterp.report.results import Result, ScoredDictionary, StudyResults

PAGE = "report.html"
SOURCES = "study.json"


@dataclass(frozen=True)
class Sources:
    """Where the results of a study are, and how they were made."""

    agent: Path
    demonstrations: Path
    model: Path
    dictionaries: tuple[Path, ...]
    features: tuple[Path, ...]
    equivalence: Path
    intervention: Path
    command: str
    seconds: Mapping[str, float]
    labels: tuple[Path, ...] = ()
    comparison: Path | None = None
    agreement: Path | None = None
    pairs: tuple[Path, ...] = ()
    explained: Path | None = None
    experiments: tuple[Path, ...] = ()


def report(folder: Path, /, *, experiments: tuple[Path, ...] = (), replace: bool = False) -> Path:
    """Render the report of a study from what the study wrote, and return its path.

    Args:
        folder: the study's folder.
        experiments: folders of reports of experiment files, of the same model, to show as well.
        replace: write the page anew where it exists.
    """
    refuse_page(folder, replace=replace)
    sources = read_sources(folder)
    return render(load_results(with_fields(sources, experiments=(*sources.experiments, *experiments))), folder / PAGE)


def refuse_page(folder: Path, *, replace: bool) -> None:
    """Raise `UserError` where the folder has a report and it may not be replaced."""
    if (folder / PAGE).exists() and not replace:
        raise UserError(f"{folder / PAGE} exists already: give another --out, or --replace to write it anew.")


def sources_of(found: StudyResults) -> Sources:
    """Return where the results of a study are."""

    def places(kind: type) -> tuple[Path, ...]:
        return tuple(each.path for each in found.of(kind))

    def place(kind: type) -> Path | None:
        return next(iter(places(kind)), None)

    (intervention,) = places(InterventionReport)
    return Sources(
        agent=found.agent.path,
        demonstrations=found.demonstrations.path,
        model=found.model.path,
        dictionaries=places(ScoredDictionary),
        features=places(FeatureTable),
        equivalence=found.equivalence.path,
        intervention=intervention,
        command=found.command,
        seconds=found.seconds,
        labels=places(LabelStudy),
        comparison=place(DictionaryComparison),
        agreement=place(ModelComparison),
        pairs=places(ExplainedPair),
        explained=place(ExplainedClasses),
        experiments=places(ExperimentResult),
    )


def write_sources(folder: Path, sources: Sources) -> None:
    """Write down where the results of a study are."""
    write_text(folder / SOURCES, json.dumps(asdict(sources), indent=1, default=str) + "\n")


def read_sources(folder: Path) -> Sources:
    """Read what `write_sources` wrote."""
    file = folder / SOURCES
    if not file.is_file():
        raise UserError(f"{folder} holds no study (there is no {SOURCES} in it): run dtinterp study first.")
    try:
        return TypeAdapter(Sources).validate_python(read_json(file))
    except ValidationError:
        raise UserError(f"{file} is damaged: run dtinterp study again.") from None


def opened(path: Path) -> Result[Any]:
    """Open an artefact of whatever kind; a dictionary comes with its report card."""
    label = label_at(path)
    return _dictionary(path) if label and label.kind == DICTIONARY.name else Result(*load_any(path))


def load_results(sources: Sources) -> StudyResults:
    """Read every artefact of a study; raises `UserError` where one is missing, damaged or of another parent."""
    trajectories, demonstrations = load_trajectories(sources.demonstrations)
    trained = load_model(sources.model, parent=demonstrations)
    model = trained.artefact
    found: list[Result[object]] = [
        Result(None, read_artefact(sources.agent, kind=AGENT.name)),
        Result(trajectories, demonstrations),
        Result(trained.config.model, model),
        *(_dictionary(path, model) for path in sources.dictionaries),
        *(Result(*read(path, FEATURES, parent=model)) for path in sources.features),
        *(Result(*read(path, LABELS, parent=model)) for path in sources.labels),
        Result(*read(sources.equivalence, EQUIVALENCE, parent=model)),
        *(Result(*read(path, PAIR, parent=model)) for path in sources.pairs),
        *(Result(*read(path, EXPERIMENT, parent=model)) for path in sources.experiments),
    ]
    optional: dict[ArtefactKind[Any], Path | None] = {
        FEATURE_COMPARISON: sources.comparison,
        MODEL_COMPARISON: sources.agreement,
        EXPLANATION: sources.explained,
        INTERVENTION: sources.intervention,
    }
    found += [Result(*read(path, kind, parent=model)) for kind, path in optional.items() if path is not None]
    return StudyResults(sources.command, found, sources.seconds)


def _dictionary(path: Path, model: Artefact | None = None) -> Result[ScoredDictionary]:
    score = load_score(path)
    if score is None:
        raise UserError(f"{path} has no report card: fit the dictionary with dtinterp fit-dictionary.")
    artefact = read_artefact(path, kind=DICTIONARY.name)
    return Result(ScoredDictionary(load_dictionary(path, parent=model), score), artefact)
