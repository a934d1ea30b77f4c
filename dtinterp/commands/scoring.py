"""A subject and a dictionary become the dictionary's report card on held-out windows."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from dtinterp.activations.harvest import Activations, FrameChoice, RowEdit, everywhere, harvest, logits_at_rows
from dtinterp.commands.subject import Subject
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.acting import Acting
from dtinterp.dictionary.behaviour import AtDecisions, ConstantRow, Decisions, LogitsWith
from dtinterp.dictionary.card import held_out_cards
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import DistinctRows, distinct_rows
from dtinterp.dictionary.fact_recovery import FactsRecovered, recovered_facts
from dtinterp.dictionary.gate import judge
from dtinterp.dictionary.hierarchy import Concept, Hierarchy, hierarchies
from dtinterp.dictionary.score import DictionaryScore, score, score_decisions, splice_of
from dtinterp.dictionary.verdict import Gate
from dtinterp.foundation.seeding import generator, numpy_generator
from dtinterp.interventions.acting import ActingConfig, act, arms_of, decision_frames, shows_one_of
from environments.graph.state_graph import state_graph
from environments.registration import SUPPORTED_IDS
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
    gate: Gate = field(default_factory=Gate)
    """pass marks"""


@dataclass(frozen=True)
class Fitted:
    """What a dictionary was fitted to."""

    rows: DistinctRows
    frame_id: Int64[Tensor, " frame"]
    """the frames that these rows show, each once"""

    @classmethod
    def of(cls, subject: Subject, site: str, *, n_windows: int, seed: int) -> "Fitted":
        """Harvest the distinct rows of training windows with their counts."""
        windows = subject.train_windows(n_windows, seed=seed)
        rows = distinct_rows(harvest(subject.model, windows, subject.items, site).value)
        return cls(rows, windows.frame_id[windows.mask].unique())


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

    @classmethod
    def of(cls, subject: Subject, site: str, *, n_windows: int, seed: int) -> "HeldOutRows":
        """Harvest them."""
        return cls.at(subject, site, subject.held_out_windows(n_windows, seed=seed))

    @classmethod
    def at(cls, subject: Subject, site: str, windows: Windows) -> "HeldOutRows":
        """Harvest the rows of just these windows."""
        return cls(subject, windows, harvest(subject.model, windows, subject.items, site))

    @cached_property
    def answers(self) -> LogitsWith:
        """What answers at every row with all rows edited."""
        return Answers(self)

    @cached_property
    def near_forks(self) -> tuple["HeldOutRows", Decisions] | None:
        """The windows that hold a fork of the world, and which of their rows are one; None where there is none."""
        trajectories = self.subject.trajectories
        if trajectories.env_id not in SUPPORTED_IDS:
            return None
        is_fork = shows_one_of(trajectories.frames, decision_frames(state_graph(trajectories.env_id)))

        def forks(windows: Windows) -> Bool[Tensor, "batch slot"]:
            return windows.mask & is_fork[windows.frame_id]

        has_fork = forks(self.windows).any(dim=1)
        if not has_fork.any():
            return None
        near = HeldOutRows.at(self.subject, self.rows.site, self.windows[has_fork.nonzero().squeeze(1)])
        return near, Decisions(forks(near.windows)[near.windows.mask], Answers(near, forks), near.answers)

    def controls(self, acting: ActingConfig, *, seed: int) -> Acting:
        """Return what the model earns intact, with zeros and with the mean row: the same for all dictionaries."""
        if (acting, seed) not in self._controls:
            arms = arms_of(self.subject.model, self.rows.site, torch.zeros_like, self.rows.value.mean(dim=0))
            del arms["spliced"]
            found = act(self.subject.model, arms, self.subject.trajectories.env_id, acting, seed=seed)
            self._controls[acting, seed] = found
        return self._controls[acting, seed]

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
        facts=_facts(held_out, dictionary, seed=seed),
    )
    return replace(full, verdict=judge(full, judging.gate))


def _hierarchies(held_out: HeldOutRows, dictionary: Dictionary) -> tuple[Hierarchy, ...]:
    """Return what became of each kind of object, whose parts are the same object at each cell of the view."""
    distinct = distinct_rows(held_out.rows.value)
    first = torch.full((len(distinct.value),), len(distinct.member))
    first = first.scatter_reduce(0, distinct.member, torch.arange(len(distinct.member)), "amin")
    objects = held_out.subject.trajectories.frames[held_out.frame_id[first]][..., 0]  # row view view
    return hierarchies(dictionary, distinct.value, concepts(objects.flatten(1)))


def _facts(held_out: HeldOutRows, dictionary: Dictionary, *, seed: int) -> FactsRecovered | None:
    """Return which facts features tell: chosen in every other episode, measured in the rest."""
    trajectories, rows = held_out.subject.trajectories, held_out.rows
    is_measured = held_out.cluster % 2 == 1
    if not trajectories.fact_names or is_measured.all() or not is_measured.any():
        return None
    return recovered_facts(
        dictionary,
        rows.value,
        trajectories.facts[rows.step].long(),
        names=trajectories.fact_names,
        is_measured=is_measured,
        generator=generator(seed, "dictionary/facts"),
    )


def concepts(objects: UInt8[Tensor, "row cell"]) -> list[Concept]:
    """Return `NAME in view` for each kind of object; its parts are its places in the view."""
    found = []
    for name in OBJECTS:
        parts = objects == CHANNELS[0].index(name)
        is_frequent = parts.sum(dim=0) >= FEWEST_ROWS
        found.append(Concept(f"{name} in view", parts.any(dim=1), parts[:, is_frequent]))
    return found


def _at_decisions(held_out: HeldOutRows, dictionary: Dictionary, *, seed: int) -> AtDecisions | None:
    """Return the effects at the forks of the world; None where no held-out row is one."""
    if held_out.near_forks is None:
        return None
    near, decisions = held_out.near_forks
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
    own = act(subject.model, tried, subject.trajectories.env_id, acting, seed=seed)
    controls = held_out.controls(acting, seed=seed)
    played = {name: {**arms, **own.played[name]} for name, arms in controls.played.items()}
    return Acting(acting.target_return, {**controls.exact, **own.exact}, played)
