"""Certified classes and a dictionary become what the features say about them, on disk."""

from dataclasses import asdict, dataclass
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.storage import ARTEFACT_KIND as DICTIONARY
from dtinterp.dictionary.storage import gate_record, load_dictionary
from dtinterp.equivalence.behaviour.quotient import representatives
from dtinterp.equivalence.exhaustive_contexts import refuse_plays
from dtinterp.equivalence.explain.class_features import class_features, dimensions
from dtinterp.equivalence.explain.distances import DISTANCES
from dtinterp.equivalence.explain.distances.distance import compared_frames
from dtinterp.equivalence.explain.explanations import ExplainedClasses
from dtinterp.equivalence.explain.prediction import predict
from dtinterp.equivalence.explain.similarity import learn_similarity
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, load, save
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.shipped import DEMONSTRATIONS, MODEL, SHIPPED_DICTIONARY
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True)
class ExplainConfig:
    """How features are held against certified classes."""

    n_draws: int = 200
    """resamples of the frames for intervals, and relabellings of them for p-values"""
    n_splits: int = 20
    """random halves of the frames that similarities are learned on"""
    seed: int = 0
    """seed of all of them"""

    def __post_init__(self) -> None:
        """Refuse nothing drawn."""
        require_at_least(self, 1, "n_draws", "n_splits")
        require_sensible(self)


@dataclass(frozen=True)
class Places:
    """Folders that belong together."""

    equivalence: Path = Path("results/equivalence")
    """certified classes, as certify wrote them"""
    dictionary: Path = SHIPPED_DICTIONARY
    """a dictionary of the model's observation embedding"""
    model: Path = MODEL
    """the model"""
    demonstrations: Path = DEMONSTRATIONS
    """the demonstrations that it was trained on"""


@claims_out
def explain_classes(
    config: ExplainConfig, places: Places, out: Path = Path("results/explanation"), *, replace: bool = False
) -> Artefact:
    """Say what the members of each class share, and how well features tell which observations are interchangeable.

    Args:
        config: intervals and controls.
        places: the classes, and what they rest on.
        out: folder to write.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = open_subject(places.model, places.demonstrations)
    trained = subject.trained.artefact
    report = load(places.equivalence, EQUIVALENCE, parent=trained)
    refuse_plays(report.config, str(places.equivalence))
    parents = (
        *subject.artefacts,
        read_artefact(places.equivalence, kind=EQUIVALENCE.name),
        read_artefact(places.dictionary, kind=DICTIONARY),
    )
    features = load_dictionary(places.dictionary, parent=trained)
    found = _explained(subject, report, features, config, name=parents[-1].name)
    tensors = {"frame_id": report.chosen.frame_id, "label": report.partition.label}
    beside = Beside(asdict(config), gate_record(places.dictionary), tensors)
    return save(out, found, parents=parents, seed=config.seed, replace=replace, beside=beside)


def _explained(
    subject: Subject, report: EquivalenceReport, dictionary: Dictionary, config: ExplainConfig, *, name: str
) -> ExplainedClasses:
    frames = compared_frames(subject.model, subject.items, report.chosen.frame_id, dictionary)
    distances = [distance(frames) for distance in DISTANCES]
    rng = numpy_generator(config.seed, "explanation/controls")
    relation, epsilon, codes = report.relation, report.config.epsilon, frames.codes()
    return ExplainedClasses(
        predictions=predict(relation, distances, epsilon=epsilon, n_draws=config.n_draws, generator=rng),
        learned=learn_similarity(
            (relation.maximum <= epsilon).numpy(),
            codes.double().numpy(),
            beside={each.name: each.maximum.double().numpy() for each in distances},
            n_splits=config.n_splits,
            generator=rng,
        ),
        dimensions=dimensions(frames.embedding, representatives(report.partition, relation).tolist()),
        classes=class_features(report.partition, codes),
        dictionary=name,
    )
