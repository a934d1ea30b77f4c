"""Plays by action string, such as FFFFL, from every start of a world."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictStr

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.specifications import distinct
from dtinterp.interventions.windows.choice import WindowsChoice
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.histories import Asked, PlayHistory, graph_of, starts, windows_of
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import StateGraph
from environments.vocabulary import ACTIONS

LETTERS = {"L": "left", "R": "right", "F": "forward", "P": "pickup", "D": "drop", "T": "toggle", "N": "done"}
"""One for each action."""


def _spelt(play: str) -> str:
    unknown = [letter for letter in play if letter not in LETTERS]
    if unknown:
        known = ", ".join(f"{letter} ({name})" for letter, name in LETTERS.items())
        raise ValueError(f"{unknown[0]!r} is no action, expected {known}")
    return play


class ScriptedPlays(WindowsChoice):
    """The window at the end of each play from each start."""

    kind: Literal["plays"] = "plays"
    actions: Annotated[
        tuple[Annotated[StrictStr, AfterValidator(_spelt)], ...], Field(min_length=1), AfterValidator(distinct)
    ]
    """strings of L, R, F, P(ickup), D(rop), T(oggle) and N (done); an empty one is the start itself"""
    asked: Asked = "attainable"
    """the return asked for, or attainable: what the shortest way from the start returns"""

    def found(self, subject: Subject, seed: int) -> ChosenWindows:  # noqa: ARG002
        """Play each string from each start. Raises `UserError` where one ends the episode."""
        graph = graph_of(subject)
        histories = [_played(graph, start, play) for play in self.actions for start in starts(graph)]
        return windows_of(subject, graph, histories, asked=self.asked)


def _played(graph: StateGraph, start: PlayHistory, play: str) -> PlayHistory:
    history = start
    for place, letter in enumerate(play):
        action = ACTIONS.index(LETTERS[letter])
        state = int(graph.next_state[history.states[-1], action])
        if state < 0:
            raise UserError(
                f"the play {play} from {start.name} ends the episode with its action {place + 1}: stop it before."
            )
        history = history.then(action, state)
    return PlayHistory(f"{start.name} {play}".strip(), history.states, history.actions)
