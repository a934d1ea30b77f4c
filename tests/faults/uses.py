"""What is done with a value that was read: enough to meet what no loader noticed."""

import torch

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, RowMap, reconstruct
from dtinterp.equivalence.over_training import History
from dtinterp.equivalence.partition import dendrogram
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.equivalence.screen import Screening
from dtinterp.features.labels.table import LabelStudy, summary_of
from dtinterp.features.table import FeatureTable
from dtinterp.features.truth.assessment import TruthStudy
from dtinterp.features.truth.assessment import summary_of as summary_of_truth
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison
from environments.vocabulary import one_hot


def used(value: object) -> object:  # noqa: C901
    """Return a value after looking at all that follows from it."""
    match value:
        case (Trajectories() as trajectories, _):
            _use_trajectories(trajectories)
        case (Activations() as rows, _):
            assert len(rows.value[rows.slot >= 0]) <= len(rows.step)
        case Dictionary():
            reconstruct(value, torch.ones(2, value.d_model))
        case RowMap():
            reconstruct(value, torch.ones(2, value.d_in))
        case EquivalenceReport():
            _use_classes(value)
        case Screening():
            _ = (value.failures, value.chosen.coverage, value.frames[value.partition.label == 0])
        case History():
            _ = (value.together_since(), value.chosen.coverage, value.chosen.n_visits[value.label[0] == 0])
        case FeatureTable():
            _use_features(value)
        case LabelStudy():
            _ = (summary_of(value.labels), [value.labels.words[place] for place in value.labels.verdict.tolist()[:0]])
            _ = [
                (value.labels.words[place], float(value.labels.worth[place]))
                for place in range(len(value.labels.words))
            ]
        case TruthStudy():
            summary_of_truth(value.report)
            _ = [float(value.report.items.f1[place]) for place in range(len(value.report.items.truth))]
        case DictionaryComparison():
            _ = [(value.errors(place).fvu, value.name[place]) for place in range(len(value.site))]
        case InterventionReport():
            _ = (value.restored, value.refutations, value.dose.p_value, value.dose.control_share)
            _ = [float(value.flipped[place]) for place in range(len(value.configurations))]
    return value


def _use_trajectories(trajectories: Trajectories) -> None:
    _ = (trajectories.time, trajectories.return_to_go, trajectories.episode_return, trajectories.facts)
    _ = trajectories.frames[trajectories.frame_id.long()]
    one_hot(trajectories.frames)


def _use_classes(report: EquivalenceReport) -> None:
    _ = (report.totals, report.is_refined_to_the_end, report.n_swaps, report.chosen.coverage, report.n_decisions)
    dendrogram(report.relation)
    for certificate in report.certificates:
        _ = report.chosen.frame_id[report.partition.members(certificate.label)]
    for world in report.worlds:
        _ = report.frames[world.label == 0]
    _ = report.frames[report.partition.label == 0]


def _use_features(table: FeatureTable) -> None:
    alignment = table.alignment
    _ = (alignment.precision, alignment.recall, alignment.base_rate, table.top.frame[: table.n_features])
    for feature, best in enumerate(alignment.best.tolist()):
        _ = (alignment.fact_values[best], float(table.density[feature]), table.maps.seen[feature])
