"""Worlds that the batched twin steps, behind the `Worlds` protocol, with interned frames."""

from collections.abc import Mapping

import torch
from jaxtyping import Int16, Int64, Shaped, UInt8
from minigrid.core.actions import Actions
from torch import Tensor

from environments.families.facts import fact_names, facts_of_states, target_is_visible
from environments.graph.enumeration import MAX_STATES, enumerate_states
from environments.grid.interning import FrameInterner
from environments.grid.observation import look
from environments.grid.state import State
from environments.twin.episodes import Advance, BatchedEpisodes
from environments.twin.layouts import Layouts
from environments.worlds import Outcome

SINCE_TARGET = "since_target"
"""The fact that says how many steps ago the target, in the memory family the instruction, was last in sight; -1 if it
was not in this episode. It was seen in a window of n slots if the number is at least 0 and less than n."""

_ROWS_AT_ONCE = 65_536


class TwinWorlds:
    """Worlds of any family that the twin steps.

    Frames are interned as they appear, so `frames` grows and must be read again when an id lies beyond it. With
    `explore` all frames that the layouts can lead to are interned at the start, and the table never changes afterwards.
    """

    def __init__(
        self,
        layouts: Layouts,
        n_worlds: int,
        *,
        generator: torch.Generator,
        device: str | torch.device = "cpu",
        explore: bool = False,
    ) -> None:
        """Draw the starts and begin the first episodes.

        Raises ValueError unless there is at least one world, and with `explore` if there are more than MAX_STATES
        states.
        """
        self._spec = layouts.spec
        self.episodes = BatchedEpisodes(layouts, n_worlds, generator=generator, device=device)
        self.env_id = self._spec.env_id
        self.n_worlds = n_worlds
        self.n_actions = len(Actions)
        self.max_steps = self._spec.max_steps
        names = fact_names(self._spec)
        self.fact_names = (*names[:-1], SINCE_TARGET, names[-1])
        self._table = FrameInterner(self._spec.view, device)
        if explore:
            states = enumerate_states(layouts, max_states=MAX_STATES).states
            for row in torch.arange(len(states)).split(_ROWS_AT_ONCE):
                self._table.intern(look(states[row].to(device), self._spec))
        self.reset()

    @property
    def frames(self) -> UInt8[Tensor, "frame view view 3"]:
        """The distinct frames so far, which frame ids point into."""
        return self._table.frames

    @property
    def state(self) -> State:
        """The state that the worlds are in now."""
        return self.episodes.state

    def reset(self) -> Int64[Tensor, " world"]:
        """Begin the first episode of every world, the same one each time, and return the ids of the frames shown."""
        self.episodes.reset()
        self._since_target = torch.full_like(self.state.time, -1)
        return self._show()

    def step(self, action: Shaped[Tensor, "..."]) -> Outcome:
        """Take one action in every world; a world whose episode ends begins its next one at once.

        Raises ValueError for an action that the world does not have.
        """
        advance = self.episodes.step(action)
        result, frame_id = advance.result, self._show()
        return Outcome(
            frame_id=frame_id,
            reward=result.reward,
            terminated=result.terminated,
            truncated=result.truncated,
            success=result.success,
            cut_frame_id=self._cut(advance, frame_id),
        )

    def facts(self) -> Int16[Tensor, "world fact"]:
        """Return the facts of the states that the worlds are in now, time included."""
        facts = facts_of_states(self.state, self._spec)
        since = self._since_target[:, None].to(torch.int16)
        return torch.cat([facts[:, :-1], since, facts[:, -1:]], dim=1)

    def put(self, state: State, *, episode: Int64[Tensor, " world"] | None = None) -> Int64[Tensor, " world"]:
        """Go on from another state of the same worlds and return the ids of the frames shown.

        See `BatchedEpisodes.put`. Whether the target was in sight before is not part of a state, so it counts as not
        seen until it is.
        """
        self.episodes.put(state, episode=episode)
        self._since_target = torch.full_like(self.state.time, -1)
        return self._show()

    def state_dict(self) -> dict[str, Tensor]:
        """Return all that changes while the worlds are stepped, as tensors that later steps leave alone."""
        frames, episodes = self._table.state_dict(), self.episodes.state_dict()
        return {**frames, **episodes, "since_target": self._since_target}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what worlds made in the same way returned."""
        self._table.load_state_dict(state)
        self.episodes.load_state_dict(state)
        self._since_target = state["since_target"].to(self._since_target.device)

    def _cut(self, advance: Advance, frame_id: Int64[Tensor, " world"]) -> Int64[Tensor, " world"]:
        """Return the ids of the frames now shown, but of the last frame where the time limit cut an episode short."""
        is_cut = (advance.result.truncated & ~advance.result.terminated)[advance.ended]
        if not is_cut.any():
            return frame_id
        last = self._table.intern(look(advance.final[is_cut.nonzero()[:, 0]], self._spec))
        return frame_id.index_put((advance.ended[is_cut],), last)

    def _show(self) -> Int64[Tensor, " world"]:
        """Return the ids of the frames now shown, and note where they show the target."""
        cells = look(self.state, self._spec)
        is_known = (self.state.time > 0) & (self._since_target >= 0)
        since = torch.where(is_known, self._since_target + 1, -1)
        self._since_target = since * ~target_is_visible(cells, self.state, self._spec)
        return self._table.intern(cells)
