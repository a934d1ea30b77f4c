"""A subject and a site become the rows on which dictionaries are judged."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations, FrameChoice, RowEdit, everywhere, harvest, logits_at_rows
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.dictionary.evaluation.acting import Acting
from dtinterp.dictionary.evaluation.behaviour import ConstantRow, Decisions, LogitsWith
from dtinterp.interventions.returns import ActingConfig, ModelReturns, arms_of, decision_frames
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import state_graph
from environments.registration import SUPPORTED_IDS


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
