"""The small study, gathered as a report is given it."""

from pathlib import Path

import pytest

from dtinterp.agents.storage import KIND as AGENT
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.dictionary.storage import ARTEFACT_KIND as DICTIONARY
from dtinterp.dictionary.storage import load_dictionary, load_score
from dtinterp.equivalence.comparison_storage import ARTEFACT_KIND as AGREEMENT
from dtinterp.equivalence.comparison_storage import load_comparison as load_agreement
from dtinterp.equivalence.explain.storage import CLASSES, PAIR, load_explained_classes, load_pair
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.storage import ARTEFACT_KIND as EQUIVALENCE
from dtinterp.equivalence.storage import load_equivalence
from dtinterp.features.labels.table import LABELS
from dtinterp.features.table import FEATURES
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import read
from dtinterp.interventions.comparison_storage import ARTEFACT_KIND as COMPARISON
from dtinterp.interventions.comparison_storage import load_comparison
from dtinterp.interventions.instruction_flip.report import ARTEFACT_KIND as INTERVENTION
from dtinterp.interventions.instruction_flip.report import load_report
from dtinterp.model.storage import load_model
from dtinterp.report.results import ScoredDictionary, Sourced, StudyResults


@pytest.fixture(scope="session")
def results(small_study: Path) -> StudyResults:
    trajectories, demonstrations = load_trajectories(small_study / "demonstrations" / "walks")
    trained = load_model(small_study / "models" / "novice")
    flip, classes = small_study / "interventions" / "flip", small_study / "equivalence" / "novice"
    features = small_study / "features" / "topk-512-k4"
    against, pair, explained = (small_study / name / "novice" for name in ("agreements", "pairs", "explanations"))
    labels, compared = small_study / "labels" / "topk-512-k4", small_study / "comparisons" / "novice"
    return StudyResults(
        command="dtinterp study --model small",
        agent=read_artefact(small_study / "agents" / "wanderer", kind=AGENT),
        demonstrations=Sourced(trajectories, demonstrations),
        model=Sourced(trained.config.model, trained.artefact),
        equivalence=Sourced(load_equivalence(classes), read_artefact(classes, kind=EQUIVALENCE)),
        dictionaries=tuple(_scored(small_study / "dictionaries" / name) for name in ("pca-4", "topk-512-k4")),
        features=(Sourced(*read(features, FEATURES)),),
        labels=(Sourced(*read(labels, LABELS)),),
        comparison=Sourced(load_comparison(compared), read_artefact(compared, kind=COMPARISON)),
        agreement=Sourced(load_agreement(against), read_artefact(against, kind=AGREEMENT)),
        pairs=(Sourced(load_pair(pair), read_artefact(pair, kind=PAIR)),),
        explained=Sourced(load_explained_classes(explained), read_artefact(explained, kind=CLASSES)),
        intervention=Sourced(load_report(flip), read_artefact(flip, kind=INTERVENTION)),
        seconds={"equivalence": 1.5, "flip": 2.0},
    )


@pytest.fixture(scope="session")
def report(results: StudyResults) -> EquivalenceReport:
    return results.equivalence.value


def _scored(path: Path) -> Sourced[ScoredDictionary]:
    score = load_score(path)
    assert score is not None
    return Sourced(ScoredDictionary(load_dictionary(path), score), read_artefact(path, kind=DICTIONARY))
