"""Report cards of dictionaries: reconstruction, behaviour and play on rows that neither model nor dictionary saw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from dtinterp.activations.harvest import Activations, FrameChoice, RowEdit, everywhere, logits_at_rows
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.acceptance import AcceptanceCriteria
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import AtDecisions, ConstantRow, Decisions, LogitsWith
from dtinterp.dictionary.evaluation.card import held_out_cards
from dtinterp.dictionary.evaluation.hierarchy import Concept, Hierarchy, hierarchies
from dtinterp.dictionary.evaluation.score import DictionaryScore, judge, score, score_decisions, splice_of
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.dictionary.variations import consistencies
from dtinterp.foundation.jobs.kept import once
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.returns.model_returns import ActingConfig, ModelReturns, arms_of, decision_frames
from dtinterp.subject.fitting import TrainingRows
from dtinterp.subject.subject import Subject
from dtinterp.subject.unseen_frames import is_unseen, unseen_frames
from environments.graph.state_graph import state_graph
from environments.registration import SUPPORTED_IDS
from environments.vocabulary import CHANNELS

OBJECTS = ("door", "key", "ball", "box", "goal", "lava")
"""Objects that may be in view or not; walls and empty cells always are."""
FEWEST_ROWS = 5
"""Distinct held-out rows that must show an object at a cell for the cell to count."""


@dataclass(frozen=True)
class Answers:
    """The network's answers with something in place of chosen rows; those that all dictionaries share are kept."""

    held_out: "HeldOutRows"
    is_edited: FrameChoice = everywhere

    def __call__(self, edit: RowEdit | None) -> Float32[Tensor, "row action"]:
        """Return the logits at every row."""
        match edit:
            case None | torch.zeros_like:
                return self._kept(edit, "clean" if edit is None else "zero")
            case ConstantRow(value):
                return self._kept(edit, value.cpu().numpy().tobytes())
            case _:
                return self._run(edit)

    def _kept(self, edit: RowEdit | None, name: str | bytes) -> Float32[Tensor, "row action"]:
        if name not in self._known:
            self._known[name] = self._run(edit)
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str | bytes, Tensor]:
        return {}

    def _run(self, edit: RowEdit | None) -> Float32[Tensor, "row action"]:
        subject, windows, site = self.held_out.subject, self.held_out.windows, self.held_out.rows.site
        model, items = subject.model, subject.items
        return logits_at_rows(model, windows, items, site=site, edit=edit, is_edited=self.is_edited)


@dataclass(frozen=True)
class HeldOutRows:
    """Rows that neither model nor dictionary saw, and how the model answers with something in their place."""

    subject: Subject
    windows: Windows
    rows: Activations
    is_whole_side: bool = False
    """whether the windows are a sample of all held-out ones; else they are what is judged, whatever episodes they are
    of"""

    @classmethod
    def of(cls, subject: Subject, site: str, *, n_windows: int, seed: int) -> "HeldOutRows":
        """Harvest them."""

        def harvested() -> "HeldOutRows":
            drawn = cls.at(subject, site, subject.held_out_windows(n_windows, seed=seed))
            return replace(drawn, is_whole_side=True)

        return once(harvested, "held-out rows", subject, site, n_windows, seed)

    @classmethod
    def at(cls, subject: Subject, site: str, windows: Windows) -> "HeldOutRows":
        """Harvest the rows of just these windows."""
        return cls(subject, windows, subject.rows(site, windows))

    @cached_property
    def answers(self) -> LogitsWith:
        """What answers at every row with all rows edited."""
        return Answers(self)

    @cached_property
    def near_decisions(self) -> tuple["HeldOutRows", Decisions] | None:
        """The windows that hold a decision point, and which of their rows are one; None where there is none."""
        trajectories = self.subject.trajectories
        if trajectories.env_id not in SUPPORTED_IDS:
            return None
        at_decisions = FrameTable(decision_frames(state_graph(trajectories.env_id)))
        decides = at_decisions.find(trajectories.frames) != ABSENT

        def at_decision(windows: Windows) -> Bool[Tensor, "batch slot"]:
            return windows.mask & decides[windows.frame_id]

        has_one = at_decision(self.windows).any(dim=1)
        if not has_one.any():
            return None
        near = HeldOutRows.at(self.subject, self.rows.site, self.windows[has_one.nonzero().squeeze(1)])
        return near, Decisions(at_decision(near.windows)[near.windows.mask], Answers(near, at_decision), near.answers)

    def controls(self, acting: ActingConfig, *, seed: int) -> Acting:
        """Return what the model earns intact, with zeros and with the mean row: the same for all dictionaries."""
        if (acting, seed) not in self._controls:
            arms = arms_of(self.subject.model, self.rows.site, torch.zeros_like, self.rows.value.mean(dim=0))
            del arms["spliced"]
            self._controls[acting, seed] = self.trial(acting, seed=seed).under(arms)
        return self._controls[acting, seed]

    def trial(self, acting: ActingConfig, *, seed: int) -> ModelReturns:
        """Return the model in its world, where what it does intact is found once for all dictionaries."""
        if (acting, seed) not in self._trials:
            env_id = self.subject.trajectories.env_id
            self._trials[acting, seed] = ModelReturns(self.subject.model, env_id, acting, seed)
        return self._trials[acting, seed]

    @cached_property
    def _trials(self) -> dict[tuple[ActingConfig, int], ModelReturns]:
        return {}

    @cached_property
    def _controls(self) -> dict[tuple[ActingConfig, int], Acting]:
        return {}

    @property
    def frame_id(self) -> Int64[Tensor, " row"]:
        """What was shown at each row, as the demonstrations number frames."""
        return self.windows.frame_id[self.windows.mask]

    @property
    def target_action(self) -> Int64[Tensor, " row"]:
        """What was done at each row."""
        return self.windows.action[self.windows.mask]

    @property
    def cluster(self) -> Int64[Tensor, " row"]:
        """The episode of each row: rows of one are drawn together."""
        return self.subject.trajectories.episode[self.rows.step]


@dataclass(frozen=True)
class Judging:
    """How a dictionary is tried, and what it must reach."""

    acting: ActingConfig = field(default_factory=ActingConfig)
    """how the model is made to act on reconstructions"""
    gate: AcceptanceCriteria = field(default_factory=AcceptanceCriteria)
    """pass marks"""


def score_dictionary(
    subject: Subject,
    dictionary: Dictionary,
    *,
    judging: Judging = Judging(),
    n_windows: int = 1024,
    fitted: TrainingRows | None = None,
    seed: int = 0,
) -> DictionaryScore:
    """Score a dictionary on `n_windows` held-out windows of a subject.

    `fitted` are the rows that the fit saw, by default those that `fit_dictionary` harvests with the same seed.
    """
    seen = fitted or TrainingRows.of(subject, dictionary.site, seed=seed)
    held_out = HeldOutRows.of(subject, dictionary.site, n_windows=n_windows, seed=seed)
    return score_on_held_out(held_out, dictionary, judging, fitted=seen, seed=seed)


def score_fits(
    fitted: TrainingRows,
    fits: Sequence[FitConfig],
    dictionaries: Sequence[Dictionary],
    judging: Judging,
    *,
    n_windows: int,
    seed: int,
) -> Iterator[tuple[Dictionary, DictionaryScore]]:
    """Score the dictionaries that `fits` made of one site's rows, and yield each, as it is called, with its score."""
    held_out = HeldOutRows.of(fitted.subject, fitted.site, n_windows=n_windows, seed=seed)
    for dictionary, alike in zip(dictionaries, consistencies(fits, dictionaries), strict=True):
        found = score_on_held_out(held_out, dictionary, judging, fitted=fitted, seed=seed)
        name = f"untrained {dictionary.name}" if fitted.subject.is_untrained else dictionary.name
        yield replace(dictionary, name=name), replace(found, consistency=alike)


def score_on_held_out(
    held_out: HeldOutRows, dictionary: Dictionary, judging: Judging, *, fitted: TrainingRows, seed: int
) -> DictionaryScore:
    """Score on held-out rows, resampled by episode, let the model act on reconstructions, and say whether it passes."""
    subject, rows = held_out.subject, held_out.rows
    judged = score(
        dictionary,
        rows.value,
        target_action=held_out.target_action,
        logits_with=held_out.answers,
        generator=numpy_generator(seed, "dictionary/bootstrap"),
        cluster=held_out.cluster,
    )
    is_of_frames = held_out.is_whole_side and rows.site == OBSERVATION_EMBEDDING
    new = unseen_frames(subject, fitted) if is_of_frames else is_unseen(held_out.frame_id, fitted)
    cards = held_out_cards(
        dictionary,
        rows.value,
        fitted=fitted.rows.value,
        generator=numpy_generator(seed, "dictionary/cards"),
        cluster=held_out.cluster,
        new=new,
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
