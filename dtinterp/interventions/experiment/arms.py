"""The arms of an experiment: the edit, and each control that it is held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.controls.displaced import along_random_directions, the_other_way
from dtinterp.interventions.controls.elsewhere import at_other_slots
from dtinterp.interventions.controls.matched import with_matched_features
from dtinterp.interventions.edits import AnyEdit
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.experiment.opening import Opened

EDIT, MATCHED, RANDOM = "edit", "matched features", "random directions"
WRONG_SIGN, OTHER_SLOTS, UNTRAINED = "wrong sign", "other slots", "untrained model"
DRAWN = (RANDOM, MATCHED)
"""Families of which any member might have been another; the first that there is gives the chance of as much as this."""


@dataclass(frozen=True)
class ExperimentArm:
    """Edits of a model at all their doses."""

    family: str
    name: str
    edits: tuple[Dosed, ...]
    names: Bindings
    """what they are made in"""


def arms_of(opened: Opened) -> tuple[ExperimentArm, ...]:
    """Return the edit itself, and then every control that is asked for and that there is."""
    return ExperimentArm(EDIT, "the edit", opened.edits, opened.names), *_controls(opened)


def missing(opened: Opened, arms: Sequence[ExperimentArm]) -> tuple[str, ...]:
    """Return the families that were asked for and of which there is no control, since the edit has none such."""
    asked, there = opened.experiment.controls, {each.family for each in arms}
    wanted = {
        MATCHED: asked.matched_features,
        RANDOM: asked.random_directions,
        WRONG_SIGN: asked.wrong_sign,
        OTHER_SLOTS: asked.other_slots,
        UNTRAINED: asked.untrained,
    }
    return tuple(family for family, is_wanted in wanted.items() if is_wanted and family not in there)


def _controls(opened: Opened) -> Iterator[ExperimentArm]:
    asked, names, said = opened.experiment.controls, opened.names, opened.experiment.edits
    for name, edits in with_matched_features(said, names, asked.matched_features).items():
        yield _bound(MATCHED, name, edits, names)
    yield from _along_random(opened)
    if asked.wrong_sign and (edits := the_other_way(opened.edits)):
        yield ExperimentArm(WRONG_SIGN, "as far the other way", tuple(edits), names)
    for name, edits in at_other_slots(said, names.windows).items() if asked.other_slots else ():
        yield _bound(OTHER_SLOTS, name, edits, names)
    if asked.untrained and not names.subject.is_untrained:
        yield _bound(UNTRAINED, "the edit", said, replace(names, subject=names.subject.control))


def _along_random(opened: Opened) -> Iterator[ExperimentArm]:
    """Yield as many directions as are asked for, of each seed."""
    n = opened.experiment.controls.random_directions
    for seed in opened.experiment.seeds:
        rng = replace(opened.names, seed=seed).generator("random directions")
        for number, edits in enumerate(along_random_directions(opened.edits, opened.names, n, rng)):
            yield ExperimentArm(RANDOM, f"direction {number + 1} of seed {seed}", tuple(edits), opened.names)


def _bound(family: str, name: str, edits: Sequence[AnyEdit], names: Bindings) -> ExperimentArm:
    return ExperimentArm(family, name, tuple(each.bound(names) for each in edits), names)
