"""A machine on plays that it was not learned from: longer ones, random ones, and a model's own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from dtinterp.demonstrations.samplers import Sampler, draw
from dtinterp.equivalence.machines.machine import PolicyMachine, SeenPlays, seen_plays
from dtinterp.equivalence.swaps.divergence import TINY, distributions, js_between
from dtinterp.foundation.statistics import Interval, wilson
from dtinterp.interventions.returns.expectation import windows_of
from dtinterp.model.network.history_logits import Asked
from environments.graph.enumeration import CONTINUES
from environments.graph.evaluation import PAD, SeenWindows
from environments.graph.plays import ROOT, PlayTree
from environments.graph.state_graph import StateGraph

Choose = Callable[[Float32[Tensor, "play action"]], Int64[Tensor, " play"]]
"""Logits into the actions that are taken."""


@dataclass(frozen=True)
class MachineTest:
    """How often a machine's output is the policy's, on one kind of plays."""

    name: str
    n_plays: int
    decisions: Interval
    """the share of decisions that agree; those of one play are counted as if they were independent"""
    plays: Interval
    """the share of plays that agree at each of these decisions"""
    n_unknown: int
    """decisions after an input that no play showed, where the machine stayed in its state"""
    known: Interval | None
    """the share of agreeing decisions among all others; None where there are none"""


@dataclass(frozen=True, eq=False)
class FreshPlays:
    """Plays with what the policy does in them."""

    seen: SeenPlays
    logits: Float32[Tensor, "seen action"]
    play: Int64[np.ndarray, " history"]
    """the play that each history of the tree belongs to"""

    def test(
        self, name: str, machine: PolicyMachine, agrees: "Agrees", is_counted: Bool[np.ndarray, " history"]
    ) -> MachineTest | None:
        """Return how a machine fares at the counted histories; None where there are none."""
        state, unknown = machine.states_at(self.seen, stays=True), machine.meets_unknown(self.seen)
        of = self.seen.of_history[is_counted]
        if not len(of):
            return None
        right, is_unknown, play = agrees(state, self.logits)[of], unknown[of], self.play[is_counted]
        _, place = np.unique(play, return_inverse=True)
        is_whole = np.ones(place.max() + 1, dtype=bool)
        np.logical_and.at(is_whole, place, right)
        n_known = int((~is_unknown).sum())
        return MachineTest(
            name,
            n_plays=len(is_whole),
            decisions=wilson(int(right.sum()), len(right)),
            plays=wilson(int(is_whole.sum()), len(is_whole)),
            n_unknown=int(is_unknown.sum()),
            known=wilson(int(right[~is_unknown].sum()), n_known) if n_known else None,
        )


Agrees = Callable[[Int64[np.ndarray, " seen"], Float32[Tensor, "seen action"]], Bool[np.ndarray, " seen"]]
"""The machine's states and the policy's logits into whether the two agree."""


def says_the_action(machine: PolicyMachine) -> Agrees:
    """Return whether the machine's output is the greedy action."""
    return lambda state, logits: machine.output.numpy()[state] == logits.argmax(-1).numpy()


def played(
    asked: Asked, graph: StateGraph, choose: Choose, *, n_plays: int, n_steps: int, rng: np.random.Generator
) -> FreshPlays:
    """Play from starts drawn as the world draws them, at most so many steps, and record what the policy would do."""
    state = rng.choice(graph.start, size=n_plays, p=graph.start_probability)
    n_slots = asked.model.cfg.n_slots
    frames = np.full((n_plays, n_slots), PAD, dtype=np.int32)
    actions = np.full_like(frames, PAD)
    parent, action, play = np.full(n_plays, ROOT), np.full(n_plays, ROOT), np.arange(n_plays)
    columns, logits, n_before = [], [], 0
    for time in range(min(n_steps, graph.max_steps - 1) + 1):
        frames = np.column_stack([frames[:, 1:], graph.frame_id[state]]).astype(np.int32)
        actions = np.column_stack([actions[:, 1:], action]).astype(np.int32)
        said = _logits(asked, SeenWindows(frames, actions, time))
        columns.append(np.column_stack([parent, action, state, np.full(len(state), time), play]))
        logits.append(said)
        taken = choose(said).numpy()
        goes_on = graph.outcome[state, taken] == CONTINUES
        if not goes_on.any():
            break
        parent, n_before = n_before + np.flatnonzero(goes_on), n_before + len(state)
        action, play = taken[goes_on], play[goes_on]
        state = graph.next_state[state[goes_on], action]
        frames, actions = frames[goes_on], actions[goes_on]
    rows = np.concatenate(columns)
    tree = PlayTree(
        rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int8), rows[:, 2].astype(np.int32), rows[:, 3].astype(np.int8)
    )
    seen = seen_plays(tree, graph.frame_id[tree.state].astype(np.int64))
    return FreshPlays(seen, torch.cat(logits)[torch.from_numpy(seen.first_history())], rows[:, 4])


def drawn_by(sampler: Sampler, generator: torch.Generator) -> Choose:
    """Let the policy act by a sampler."""
    return lambda logits: draw(sampler, logits, generator)


def any_of(actions: Sequence[int], generator: torch.Generator) -> Choose:
    """Let some actions be taken, all alike, whatever the policy says."""
    allowed = torch.tensor(actions)
    return lambda logits: allowed[torch.randint(len(allowed), (len(logits),), generator=generator)]


def by_length(
    name: str, fresh: FreshPlays, machine: PolicyMachine, agrees: Agrees, n_slots: int
) -> Iterator[MachineTest]:
    """Yield the tests at histories that the window holds, and at longer ones."""
    time = fresh.seen.time[fresh.seen.of_history]
    for words, is_counted in (("within the window", time < n_slots), ("beyond the window", time >= n_slots)):
        found = fresh.test(f"{name}, {words}", machine, agrees, is_counted)
        if found is not None:
            yield found


def is_near(chances: Float64[np.ndarray, "state action"], epsilon: float) -> Agrees:
    """Return whether the distribution of the machine's state is within epsilon bits of the policy's."""
    of_state = distributions(torch.from_numpy(chances).clamp_min(TINY).log())
    return lambda state, logits: (
        js_between(of_state[torch.from_numpy(state)], distributions(logits)) <= epsilon
    ).numpy()


@torch.no_grad()
def _logits(asked: Asked, seen: SeenWindows) -> Float32[Tensor, "window action"]:
    windows = windows_of(seen, target_return=asked.target_return)
    return asked.model.run_with_hooks(windows, asked.items, fwd_hooks=[])[:, -1].cpu()
