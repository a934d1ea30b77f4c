"""Decision points: where, on the straight way from a start, going forward stops being best."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.windows.choice import WindowsChoice
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.histories import Asked, PlayHistory, graph_of, starts, windows_of
from dtinterp.subject.subject import Subject
from environments.graph.plays import MOVES
from environments.graph.state_graph import StateGraph
from environments.vocabulary import ACTIONS

FORWARD = ACTIONS.index("forward")


class DecisionPoints(WindowsChoice):
    """From each start forward while that is best, up to where it is not; starts from which it never is are left out."""

    kind: Literal["decision_points"] = "decision_points"
    asked: Asked = "attainable"
    """the return asked for, or attainable: what the shortest way from the start returns"""
    detours: Annotated[StrictInt, Field(ge=0, le=6)] = 0
    """actions that may be wasted on the way: every play of left, right and forward that ends at the same state with so
    many more at most is a window too"""

    def found(self, subject: Subject, seed: int) -> ChosenWindows:  # noqa: ARG002
        """Walk from each start. Raises `UserError` where a walk has more frames than a window."""
        graph = graph_of(subject)
        walks = [walk for start in starts(graph) if len((walk := walked(graph, start)).actions)]
        if not walks:
            raise UserError(f"from no start of {graph.env_id} going forward is best: choose plays instead.")
        n_slots = subject.model.cfg.n_slots
        for walk in walks:
            if len(walk.states) + self.detours > n_slots:
                raise UserError(
                    f"the walk from {walk.name} has {len(walk.states)} frames and {self.detours} detours, the model "
                    f"sees {n_slots}: use fewer detours, a smaller world, or a model with more slots."
                )
        return windows_of(
            subject, graph, [each for walk in walks for each in self._ways(graph, walk)], asked=self.asked
        )

    def _ways(self, graph: StateGraph, walk: PlayHistory) -> Iterator[PlayHistory]:
        """Yield the straight walk, then the other plays to its end that are short enough, in order of length."""
        yield walk
        start, end = PlayHistory(walk.name, walk.states[:1]), walk.states[-1]
        reached = [start]
        for n_actions in range(1, len(walk.actions) + self.detours + 1 if self.detours else 0):
            reached = [each for history in reached for each in _onward(graph, history)]
            if n_actions >= len(walk.actions):
                yield from (_told(each) for each in reached if each.states[-1] == end and each.actions != walk.actions)


def walked(graph: StateGraph, start: PlayHistory) -> PlayHistory:
    """Return the way forward from a start, up to the first state in which going forward is not best."""
    walk = start
    while graph.optimal[walk.states[-1], FORWARD] and graph.next_state[walk.states[-1], FORWARD] >= 0:
        walk = walk.then(FORWARD, int(graph.next_state[walk.states[-1], FORWARD]))
    return walk


def _onward(graph: StateGraph, history: PlayHistory) -> Iterator[PlayHistory]:
    for action in MOVES:
        state = int(graph.next_state[history.states[-1], action])
        if state >= 0:
            yield history.then(action, state)


def _told(history: PlayHistory) -> PlayHistory:
    letters = "".join(ACTIONS[action][0].upper() for action in history.actions)
    return PlayHistory(f"{history.name} {letters}", history.states, history.actions)
