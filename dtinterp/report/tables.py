"""Tables of results, and what figures draw of them.

Cells may be intervals, which the page writes with their range and the app as text.
"""

from collections.abc import Sequence

import pandas as pd

from dtinterp.demonstrations.quality import Quality, SamplerQuality
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.evaluation.score import DictionaryScore, verdict_of
from dtinterp.equivalence.behaviour.abstraction_error import AbstractionOutcome
from dtinterp.equivalence.behaviour.after_random import Wandering
from dtinterp.equivalence.classes.joint_refinement import JointTrial
from dtinterp.equivalence.levels import Level, class_order, frame_order
from dtinterp.equivalence.partition import dendrogram
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.foundation.statistics import Interval
from dtinterp.interventions.replacements.dictionary_comparison import DictionaryComparison
from dtinterp.report.figures.dendrogram import ClassTree
from dtinterp.report.figures.equivalence import DivergenceMap, Neighbours
from dtinterp.report.figures.token_errors import ErrorPanel, RowPlaces
from dtinterp.report.results import ScoredDictionary
from environments.vocabulary import ACTIONS


def dictionary_table(scored: Sequence[ScoredDictionary]) -> pd.DataFrame:
    """Return one row per dictionary: what it costs, what it keeps, and how wide it is beside what it saw."""
    return pd.DataFrame([_dictionary_row(each) for each in scored])


def error_panels(comparison: DictionaryComparison) -> list[ErrorPanel]:
    """Return what each dictionary makes of the rows."""
    named = enumerate(zip(comparison.name, comparison.site, strict=True))
    return [ErrorPanel(name, site, comparison.errors(place)) for place, (name, site) in named]


def row_places(comparison: DictionaryComparison, trajectories: Trajectories) -> RowPlaces:
    """Return where the rows of a comparison stand in the trajectories that they are from."""
    return RowPlaces(comparison.step, comparison.slot, trajectories.time[comparison.step])


def demonstration_table(quality: Quality) -> pd.DataFrame:
    """Return one row per sampler: how its episodes fared, and how often it took each action."""
    n_actions = max((len(each.action_share) for each in quality.by_sampler.values()), default=0)
    rows = [_sampler_row(name, each, n_actions) for name, each in quality.by_sampler.items()]
    return pd.DataFrame(rows, dtype=object)  # or None would become a number


def agreement_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per partition of the world: agreement of the trained model beside every control."""
    return pd.DataFrame(
        {
            "partition of the world": each.world,
            "classes (world)": each.trained.n_reference_classes,
            "classes (model)": each.trained.n_classes,
            "ARI (trained)": each.trained.ari,
            "ARI (random classes)": each.trained.random,
            "p (Holm)": each.p_holm,
            "ARI (untrained, as many classes)": each.untrained.ari,
            "ARI (untrained, same ε)": each.untrained_at_epsilon.ari,
            "AMI (trained)": each.trained.ami,
        }
        for each in report.comparisons
    )


def quotient_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per partition: what the model earns when it sees one representative for each class."""
    return pd.DataFrame(
        {
            "partition": each.name,
            "classes": each.n_classes,
            "exchanged observations": each.n_exchanged,
            "expected return": each.earned.expected_return,
            "success": each.earned.success,
            "return (random classes)": each.random_return,
            "success (random classes)": each.random_success,
        }
        for each in report.behaviour.named
    )


def class_tree(report: EquivalenceReport, level: Level) -> ClassTree:
    """Return the tree over all epsilon, with the classes of a level."""
    merges, frame_id = dendrogram(report.relation), report.chosen.frame_id
    return ClassTree(merges, frame_id, level.partition, level.epsilon, certified=report.config.epsilon)


def divergence_map(report: EquivalenceReport) -> DivergenceMap:
    """Return all divergences, larger classes first, and the more visited observations first in each."""
    order = frame_order(report.partition, report.chosen)
    sizes = report.partition.sizes[class_order(report.partition, report.chosen)].tolist()
    return DivergenceMap(report.chosen.frame_id[order], report.relation.maximum[order][:, order], sizes)


def neighbours(report: EquivalenceReport, level: Level, place: int, *, n_most: int = 24) -> Neighbours:
    """Return the observations nearest to the one in row `place` of the chosen frames, class-mates as at this level."""
    relation, label = report.relation, level.partition.label
    order = relation.maximum[place].argsort(stable=True)
    others = order[order != place][:n_most]
    return Neighbours(
        frame_id=report.chosen.frame_id[others],
        maximum=relation.maximum[place][others],
        mean=relation.mean[place][others],
        n_contexts=relation.n_contexts[place][others],
        is_mate=label[others] == label[place],
        epsilon=level.epsilon,
    )


def certificate_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per class: its size, all swaps tried in it, the most that any moved the model, and its bound.

    Mean and flipped actions are of the swaps that classes are formed from.
    """
    return pd.DataFrame(
        {
            "class": certificate.label,
            "observations": certificate.size,
            "swaps": total.n_swaps,
            "largest divergence (bits)": total.maximum,
            "met in": total.stage,
            "swaps (formation)": certificate.n_swaps,
            "largest divergence (formation, bits)": certificate.maximum,
            "mean divergence (formation, bits)": certificate.mean,
            "flipped actions (formation)": certificate.n_flips,
            **_bound(report, certificate.label),
        }
        for certificate, total in zip(report.certificates, report.totals, strict=True)
    )


def joint_table(trial: JointTrial) -> pd.DataFrame:
    """Return one row per way of choosing members: how often a decision moved too far, and how often it stayed."""
    return pd.DataFrame(
        {
            "shown": each.shown,
            "histories": each.n_histories,
            "replaced in": each.n_replaced,
            "share beyond ε": each.beyond,
            "share with the same action": each.kept,
            "mean bits": each.mean,
            "largest bits": each.maximum,
        }
        for each in trial.arms
    )


def abstraction_table(outcomes: Sequence[AbstractionOutcome]) -> pd.DataFrame:
    """Return one row for each partition and kind of intervention: how far it predicts what the intervention does."""
    return pd.DataFrame(
        {
            "classes of": each.classes,
            "number": each.n_classes,
            "set in": each.set_in,
            "other slots": each.others,
            "error, mean bits": each.error,
            "share beyond ε": each.beyond,
            "share with the same action": each.same_action,
            "effect, mean bits": each.effect,
        }
        for each in outcomes
    )


def wandering_table(wandering: Wandering) -> pd.DataFrame:
    """Return one row per merge: what the plays return on it, and how many are the same."""
    return pd.DataFrame(
        {
            "shown": each.shown,
            "classes": each.n_classes,
            "draws": each.n_draws,
            "return": each.mean_return,
            "least of any draw": each.least_return,
            "change": each.change,
            "share that ends alike": each.same_end,
            "with the same actions": each.same_actions,
        }
        for each in wandering.played
    )


def arm_table(report: EquivalenceReport) -> pd.DataFrame:
    """Return one row per model and kind of stand-in: how often it moved a decision by more than epsilon."""
    arms = () if report.scrutiny is None else report.scrutiny.arms
    return pd.DataFrame(
        {
            "model": arm.model,
            "stand-in": arm.stand_in,
            "contexts": arm.n_contexts,
            "swaps": arm.n_swaps,
            "share of contexts beyond ε": arm.share,
            "mean largest divergence (bits)": arm.mean_peak,
            "p (Holm)": arm.p_value,
        }
        for arm in arms
    )


def in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with intervals written out, for whoever cannot show them otherwise."""
    return frame.map(lambda value: str(value) if isinstance(value, Interval) else value)


def gate_word(score: DictionaryScore) -> str:
    """Return what the gate says in a word or two."""
    verdict = verdict_of(score)
    if verdict.failures:
        return "fails"
    return "passes" if verdict.passes else "not judged"


def _bound(report: EquivalenceReport, label: int) -> dict[str, object]:
    """Return how a class fared in fresh contexts; nothing where none of the classes was tried in any."""
    if report.scrutiny is None or not report.scrutiny.bounds:
        return {}
    bound = next((bound for bound in report.scrutiny.bounds if bound.label == label), None)
    return {
        "fresh contexts": 0 if bound is None else bound.n_contexts,
        "failures in them": 0 if bound is None else bound.n_failures,
        "share of contexts that fail, at most": None if bound is None or bound.share is None else bound.share.high,
        "every context tried": bound is not None and bound.is_exact,
    }


def _sampler_row(name: str, each: SamplerQuality, n_actions: int) -> dict[str, object]:
    lengths = each.length
    shares = each.action_share or (None,) * n_actions
    return {
        "sampler": name,
        "episodes": each.n_episodes,
        "success": each.success,
        "mean return": each.mean_return,
        "mean length (steps)": each.mean_length,
        "shortest, median, longest": lengths and f"{lengths.shortest}, {lengths.median}, {lengths.longest}",
        **dict(zip(ACTIONS, shares, strict=False)),
    }


def _dictionary_row(each: ScoredDictionary) -> dict[str, object]:
    score, dictionary = each.score, each.dictionary
    return {
        "dictionary": dictionary.name,
        "kind": type(dictionary.kind).__name__,
        "site": dictionary.site,
        "L0": score.l0,
        "FVU": score.fvu,
        "loss recovered (zeros)": score.loss_recovered_from_zero,
        "loss recovered (mean)": score.loss_recovered_from_mean,
        "loss (spliced)": score.spliced.loss,
        "loss (clean)": score.clean.loss,
        "accuracy (spliced)": score.spliced.accuracy,
        "accuracy (clean)": score.clean.accuracy,
        "KL (nats)": score.spliced.kl,
        "return kept": None if score.acting is None else score.acting.return_kept,
        "gate": gate_word(score),
        "dead": score.dead_share,
        "width": score.width,
        "distinct inputs": score.n_distinct,
        "rank": score.rank,
        "rows": score.n_rows,
    }
