"""Labels of features: the statement that tells when each fires, or that there is none."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.features.labels.predicates import Predicates, predicates_of
from dtinterp.features.labels.search import Conjunctions, search
from dtinterp.features.labels.table import Counterexamples, Counts, LabelConfig, Labels, LabelStudy, summary_of
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator
from dtinterp.subject.fitting import fit_like
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class LabellingConfig:
    """On which rows labels are searched and judged, and how."""

    search: LabelConfig = field(default_factory=LabelConfig)
    """the language, the split and what counts as good"""
    n_windows: int = 4096
    """held-out windows, whose distinct rows are divided by frame"""
    n_fit_windows: int | None = None
    """training windows that the untrained model's dictionary is fitted to; none: as fit-dictionary has it by default"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows")
        require_sensible(self)


def label(subject: Subject, dictionary: Dictionary, config: LabellingConfig = LabellingConfig()) -> LabelStudy:
    """Label each feature, beside those of a dictionary of the same make of the untrained model: the control."""

    def labelled(model: Subject, features: Dictionary) -> Labels:
        windows = model.held_out_windows(config.n_windows, seed=config.search.seed)
        return label_rows(features, model.rows(features.site, windows), model.trajectories, config.search)

    control = fit_like(dictionary, subject.control, n_windows=config.n_fit_windows, seed=config.search.seed)
    return LabelStudy(labelled(subject, dictionary), summary_of(labelled(subject.control, control)))


def label_rows(dictionary: Dictionary, rows: Activations, trajectories: Trajectories, config: LabelConfig) -> Labels:
    """Return the label of each feature from rows of windows of `trajectories`, which should be held out.

    A feature fires where its activation is above 0. Equal rows count once: distinct frames at the observation
    embedding, distinct contexts deeper in the model. Raises `UserError` where rows are of another site, or show too few
    frames to hold some out.
    """
    if dictionary.site != rows.site:
        raise UserError(
            f"Dictionary {dictionary.name!r} was fitted at {dictionary.site!r}, the rows are from {rows.site!r}: "
            "harvest rows at the dictionary's site."
        )
    sides = divided(rows, trajectories, config)
    statements = predicates_of(sides.searched, trajectories)
    telling = statements.telling
    statements, tested = statements.only(telling), predicates_of(sides.judged, trajectories).only(telling)
    value = encode_dense(dictionary, sides.judged.value)  # row feature
    fires, should_fire = encode_dense(dictionary, sides.searched.value) > 0, value > 0
    found = _search(fires, statements, config)
    said = found.holds(tested)
    rng = generator(config.seed, "labels/shuffle")
    shuffled, shuffled_later = (_shuffled(fired, rng) for fired in (fires, should_fire))
    return Labels(
        words=found.words(statements),
        worth=found.worth,
        searched=_counts(found.holds(statements), fires),
        judged=_counts(said, should_fire),
        missed=_examples(value.masked_fill(said, 0), sides.judged, trajectories, config.n_examples),
        spurious=_examples((said & ~should_fire).float(), sides.judged, trajectories, config.n_examples),
        shuffled=_counts(_search(shuffled, statements, config).holds(tested), shuffled_later),
        config=config,
        name=dictionary.name,
        site=rows.site,
    )


@dataclass(frozen=True)
class Sides:
    """Distinct rows on two sides that share no frame."""

    searched: Activations
    judged: Activations


def divided(rows: Activations, trajectories: Trajectories, config: LabelConfig) -> Sides:
    """Return distinct rows divided by their frame, on each side `n_inputs` at most, drawn at random.

    Raises `UserError` where a side would be empty.
    """
    first = np.unique(distinct_rows(rows.value).member.numpy(), return_index=True)[1]
    distinct = _chosen(rows, torch.from_numpy(first))
    frame = trajectories.frame_id[distinct.step].long()
    shown = frame.unique()
    n_held_out = round(config.held_out_share * len(shown))
    if not 0 < n_held_out < len(shown):
        raise UserError(
            f"the rows show {len(shown)} distinct frames, of which a share of {config.held_out_share} cannot be held "
            "out: give rows of more windows."
        )
    rng = generator(config.seed, "labels/split")
    is_held_out = torch.isin(frame, shown[torch.randperm(len(shown), generator=rng)[:n_held_out]])
    searched, judged = (_drawn(distinct, side, config.n_inputs, rng) for side in (~is_held_out, is_held_out))
    return Sides(searched, judged)


def _drawn(rows: Activations, side: Bool[Tensor, " row"], n: int, rng: torch.Generator) -> Activations:
    place = side.nonzero().squeeze(1)
    return _chosen(rows, place[torch.randperm(len(place), generator=rng)[:n].sort().values])


def _chosen(rows: Activations, place: Int64[Tensor, " chosen"]) -> Activations:
    return Activations(rows.value[place], rows.step[place], rows.slot[place], rows.site)


def _search(fires: Bool[Tensor, "row feature"], statements: Predicates, config: LabelConfig) -> Conjunctions:
    return search(fires, statements, n_literals=config.n_literals, beam=config.beam)


def _shuffled(fires: Bool[Tensor, "row feature"], rng: torch.Generator) -> Bool[Tensor, "row feature"]:
    """Return the same firings with each input given those of another."""
    return fires[torch.randperm(len(fires), generator=rng)]


def _counts(said: Bool[Tensor, "row feature"], fires: Bool[Tensor, "row feature"]) -> Counts:
    return Counts((said & fires).sum(dim=0), said.sum(dim=0), fires.sum(dim=0), len(fires))


def _examples(
    weight: Float32[Tensor, "row feature"], rows: Activations, trajectories: Trajectories, n: int
) -> Counterexamples:
    """Return for each feature the rows of most weight, one for each frame; rows without weight are no examples."""
    frame = trajectories.frame_id[rows.step].long().unique(return_inverse=True)[1]
    place = frame[:, None].expand_as(weight)
    heaviest = weight.new_zeros(int(frame.max()) + 1, weight.shape[1]).scatter_reduce(0, place, weight, "amax")
    is_heaviest = (weight > 0) & (weight == heaviest.gather(0, place))
    number = torch.where(is_heaviest, torch.arange(len(weight))[:, None], len(weight))  # row feature
    first = torch.full_like(heaviest, len(weight), dtype=torch.int64).scatter_reduce(0, place, number, "amin")
    top, chosen = heaviest.sort(dim=0, descending=True, stable=True)  # frame feature
    row = first.gather(0, chosen)[:n].T  # feature example
    is_there = (top[:n] > 0).T
    row = row.clamp_max(len(weight) - 1)
    return Counterexamples(torch.where(is_there, rows.step[row], -1), torch.where(is_there, rows.slot[row], -1))
