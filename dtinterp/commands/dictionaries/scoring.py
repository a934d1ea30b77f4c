"""A subject and a dictionary become the dictionary's report card on held-out windows."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from dtinterp.commands.dictionaries.fitting import Fitted
from dtinterp.commands.dictionaries.held_out_rows import HeldOutRows
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.acceptance import judge
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import AtDecisions
from dtinterp.dictionary.evaluation.card import held_out_cards
from dtinterp.dictionary.evaluation.criteria import AcceptanceCriteria
from dtinterp.dictionary.evaluation.hierarchy import Concept, Hierarchy, hierarchies
from dtinterp.dictionary.evaluation.score import DictionaryScore, score, score_decisions, splice_of
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.returns import ActingConfig, arms_of
from environments.vocabulary import CHANNELS

OBJECTS = ("door", "key", "ball", "box", "goal", "lava")
"""Objects that may be in view or not; walls and empty cells always are."""
FEWEST_ROWS = 5
"""Distinct held-out rows that must show an object at a cell for the cell to count."""


@dataclass(frozen=True)
class Judging:
    """How a dictionary is tried, and what it must reach."""

    acting: ActingConfig = field(default_factory=ActingConfig)
    """how the model is made to act on reconstructions"""
    gate: AcceptanceCriteria = field(default_factory=AcceptanceCriteria)
    """pass marks"""


def score_on_held_out(
    held_out: HeldOutRows, dictionary: Dictionary, judging: Judging, *, fitted: Fitted, seed: int
) -> DictionaryScore:
    """Score on held-out rows, resampled by episode, let the model act on reconstructions, and say whether it passes."""
    rows = held_out.rows
    judged = score(
        dictionary,
        rows.value,
        target_action=held_out.target_action,
        logits_with=held_out.answers,
        generator=numpy_generator(seed, "dictionary/bootstrap"),
        cluster=held_out.cluster,
    )
    cards = held_out_cards(
        dictionary,
        rows.value,
        fitted=fitted.rows.value,
        generator=numpy_generator(seed, "dictionary/cards"),
        cluster=held_out.cluster,
        has_new_frame=~torch.isin(held_out.frame_id, fitted.frame_id),
    )
    full = replace(
        judged,
        held_out=cards,
        decisions=_at_decisions(held_out, dictionary, seed=seed),
        acting=_acting(held_out, dictionary, judging.acting, seed=seed),
        hierarchies=_hierarchies(held_out, dictionary),
    )
    return replace(full, verdict=judge(full, judging.gate))


def _hierarchies(held_out: HeldOutRows, dictionary: Dictionary) -> tuple[Hierarchy, ...]:
    """Return what became of each kind of object, whose parts are the same object at each cell of the view."""
    distinct = distinct_rows(held_out.rows.value)
    first = torch.full((len(distinct.value),), len(distinct.member))
    first = first.scatter_reduce(0, distinct.member, torch.arange(len(distinct.member)), "amin")
    objects = held_out.subject.trajectories.frames[held_out.frame_id[first]][..., 0]  # row view view
    return hierarchies(dictionary, distinct.value, concepts(objects.flatten(1)))


def concepts(objects: UInt8[Tensor, "row cell"]) -> list[Concept]:
    """Return `NAME in view` for each kind of object; its parts are its places in the view."""
    found = []
    for name in OBJECTS:
        parts = objects == CHANNELS[0].index(name)
        is_frequent = parts.sum(dim=0) >= FEWEST_ROWS
        found.append(Concept(f"{name} in view", parts.any(dim=1), parts[:, is_frequent]))
    return found


def _at_decisions(held_out: HeldOutRows, dictionary: Dictionary, *, seed: int) -> AtDecisions | None:
    """Return the effects at the decision points; None where no held-out row is one."""
    if held_out.near_decisions is None:
        return None
    near, decisions = held_out.near_decisions
    return score_decisions(
        dictionary,
        near.rows.value,
        decisions,
        target_action=near.target_action,
        cluster=near.cluster,
        generator=numpy_generator(seed, "dictionary/decisions"),
    )


def _acting(held_out: HeldOutRows, dictionary: Dictionary, acting: ActingConfig, *, seed: int) -> Acting:
    """Return what the model earns on reconstructions, beside the controls."""
    subject, rows = held_out.subject, held_out.rows
    arms = arms_of(subject.model, rows.site, splice_of(dictionary), rows.value.mean(dim=0))
    tried = {arm: arms[arm] for arm in ("clean", "spliced")}
    own = held_out.trial(acting, seed=seed).under(tried)
    controls = held_out.controls(acting, seed=seed)
    played = {name: {**arms, **own.played[name]} for name, arms in controls.played.items()}
    return Acting(acting.target_return, {**controls.exact, **own.exact}, played)
