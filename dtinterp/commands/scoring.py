"""A subject and a dictionary become the dictionary's report card on held-out windows."""

from dataclasses import dataclass, replace

from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations, FrameChoice, RowEdit, everywhere, harvest, logits_at_rows
from dtinterp.commands.subject import Subject
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.behaviour import AtDecisions, Decisions, LogitsWith
from dtinterp.dictionary.card import held_out_cards
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import DistinctRows
from dtinterp.dictionary.score import DictionaryScore, score, score_decisions, splice_of
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.acting import ActingConfig, act, arms_of, decision_frames, shows_one_of
from environments.graph.state_graph import state_graph
from environments.registration import SUPPORTED_IDS


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

    def logits_with(self, is_edited: FrameChoice = everywhere) -> LogitsWith:
        """Return what answers at every row with the chosen rows edited."""

        def run(edit: RowEdit | None) -> Float32[Tensor, "row action"]:
            subject, site = self.subject, self.rows.site
            return logits_at_rows(subject.model, self.windows, subject.items, site=site, edit=edit, is_edited=is_edited)

        return run

    @property
    def target_action(self) -> Int64[Tensor, " row"]:
        """What was done at each row."""
        return self.windows.action[self.windows.mask]

    @property
    def cluster(self) -> Int64[Tensor, " row"]:
        """The episode of each row: rows of one are drawn together."""
        return self.subject.trajectories.episode[self.rows.step]


def score_on_held_out(
    held_out: HeldOutRows, dictionary: Dictionary, acting: ActingConfig, *, fitted: DistinctRows, seed: int
) -> DictionaryScore:
    """Score on held-out rows, resampled by episode, and let the model act on reconstructions."""
    subject, rows = held_out.subject, held_out.rows
    judged = score(
        dictionary,
        rows.value,
        target_action=held_out.target_action,
        logits_with=held_out.logits_with(),
        generator=numpy_generator(seed, "dictionary/bootstrap"),
        cluster=held_out.cluster,
    )
    cards = held_out_cards(
        dictionary,
        rows.value,
        fitted=fitted.value,
        generator=numpy_generator(seed, "dictionary/cards"),
        cluster=held_out.cluster,
    )
    arms = arms_of(subject.model, rows.site, splice_of(dictionary), rows.value.mean(dim=0))
    return replace(
        judged,
        held_out=cards,
        decisions=_at_decisions(held_out, dictionary, seed=seed),
        acting=act(subject.model, arms, subject.trajectories.env_id, acting, seed=seed),
    )


def _at_decisions(held_out: HeldOutRows, dictionary: Dictionary, *, seed: int) -> AtDecisions | None:
    """Return the effects at the forks of the world, in the windows that hold one; None where there is none."""
    subject = held_out.subject
    trajectories = subject.trajectories
    if trajectories.env_id not in SUPPORTED_IDS:
        return None
    is_fork = shows_one_of(trajectories.frames, decision_frames(state_graph(trajectories.env_id)))

    def forks(windows: Windows) -> Bool[Tensor, "batch slot"]:
        return windows.mask & is_fork[windows.frame_id]

    has_fork = forks(held_out.windows).any(dim=1)
    if not has_fork.any():
        return None
    near = HeldOutRows.at(subject, held_out.rows.site, held_out.windows[has_fork.nonzero().squeeze(1)])
    return score_decisions(
        dictionary,
        near.rows.value,
        Decisions(forks(near.windows)[near.windows.mask], near.logits_with(forks), near.logits_with()),
        target_action=near.target_action,
        cluster=near.cluster,
        generator=numpy_generator(seed, "dictionary/decisions"),
    )
