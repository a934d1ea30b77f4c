"""The heart of the page: the classes, their controls, and how far their certificates reach."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dtinterp.dataset.windows import window
from dtinterp.equivalence.classes.certificates import WorstSwap
from dtinterp.equivalence.levels import class_order, level_at
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.features.truth.alignment import shared_facts
from dtinterp.report.figures.dendrogram import dendrogram_figure
from dtinterp.report.figures.equivalence import agreement_figure, divergence_figure
from dtinterp.report.figures.quotient import quotient_figure
from dtinterp.report.filmstrip import slot_name, window_slots
from dtinterp.report.rendering import caveats
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section
from dtinterp.report.tables import (
    abstraction_table,
    agreement_table,
    arm_table,
    certificate_table,
    class_tree,
    divergence_map,
    joint_table,
    quotient_table,
    wandering_table,
)

N_MEMBERS = 24
"""Pictures of a class that are shown at once; the others fold out."""
N_WORST = 3
"""Worst swaps whose windows are opened."""


def _gather(results: StudyResults) -> Mapping[str, object]:
    report = results.equivalence.value
    partition, certificates = report.partition, report.certificates
    order = class_order(partition, report.chosen).tolist()
    return {
        "n_shared": int((partition.sizes > 1).sum()),
        "n_alone": int((partition.sizes == 1).sum()),
        "n_inside": sum(each.n_swaps for each in certificates),
        "n_flips": sum(each.n_flips for each in certificates),
        "worst_formed": max(each.maximum for each in certificates),
        "caveats": caveats(report),
        "agreement": agreement_figure(report.comparisons),
        "agreements": agreement_table(report),
        "quotient": quotient_figure(report.behaviour),
        "quotients": quotient_table(report),
        "wanderings": None if report.wandering is None else wandering_table(report.wandering),
        "jointly": None if report.joint is None else joint_table(report.joint),
        "abstractions": abstraction_table(report.abstraction),
        "verdicts": None if report.met is None else report.verdicts,
        "n_classes": None if report.luck is None else report.luck.count(report.config.epsilon),
        "cards": [_card(results, label) for label in order if partition.sizes[label] > 1],
        "n_members": N_MEMBERS,
        "alone": report.chosen.frame_id[partition.sizes[partition.label] == 1].tolist(),
        "arms": arm_table(report),
        "dendrogram": dendrogram_figure(class_tree(report, level_at(report, report.config.epsilon))),
        "reachable": _reachable(report),
        "swaps": [_opened(results, swap) for swap in _worst(report)],
        "divergences": divergence_figure(divergence_map(report)),
        "certificates": certificate_table(report).iloc[order],
    }


def _card(results: StudyResults, label: int) -> Mapping[str, object]:
    """Return a class's observations, the most visited first, and what they share."""
    report = results.equivalence.value
    places = report.partition.members(label)
    places = places[report.chosen.n_visits[places].argsort(descending=True, stable=True)]
    frames = report.chosen.frame_id[places]
    demonstrated = replace(results.demonstrations.value, frames=results.tried_on.frames)
    return {
        "label": label,
        "frames": frames.tolist(),
        "share": int(report.chosen.n_visits[places].sum()) / report.chosen.n_steps,
        "facts": [fact.plain_words for fact in shared_facts(demonstrated, frames)],
    }


def _reachable(report: EquivalenceReport) -> Mapping[str, object] | None:
    """Count the swaps that the world might have shown; None where that was not asked."""
    if report.scrutiny is None or report.scrutiny.reachable is None:
        return None
    n_contexts = report.scrutiny.reachable.n_contexts.clone().fill_diagonal_(0)
    label = report.partition.label
    inside = (label[:, None] == label) & (n_contexts > 0)
    worst = report.scrutiny.reachable.maximum[inside]
    return {
        "n": int(n_contexts.sum()),
        "n_inside": int(n_contexts[inside].sum()),
        "worst": float(worst.max()) if len(worst) else None,
    }


def _worst(report: EquivalenceReport) -> Sequence[WorstSwap]:
    """Return the largest divergences that were met inside any class, whenever they were met."""
    worst = [each.worst for each in report.totals if each.worst is not None]
    return sorted(worst, key=lambda swap: -swap.divergence)[:N_WORST]


def _opened(results: StudyResults, swap: WorstSwap) -> Mapping[str, object]:
    """Return a swap with its window."""
    trajectories = results.tried_on
    last = trajectories.frame_id.new_tensor([swap.step]).long()
    shown = window(trajectories, last, results.model.value.n_slots)
    return {
        "swap": swap,
        "slots": window_slots(shown, swap=swap),
        "slot": slot_name(shown, swap.slot),
        "decision": slot_name(shown, swap.decision),
        "episode": int(trajectories.episode[swap.step]),
    }


SECTION = Section(
    "equivalence", "What the model takes for the same", order=60, shows=(EquivalenceReport,), gather=_gather
)
