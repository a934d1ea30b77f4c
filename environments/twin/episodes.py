"""Endless episodes in many worlds: a world whose episode ends begins its next one in the same step."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from environments.families.legality import require_legal
from environments.grid.state import State
from environments.twin.dynamics import StepResult, step
from environments.twin.layouts import Layouts

_GOLDEN_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FIRST_FACTOR = 0xBF58476D1CE4E5B9 - 2**64
_SECOND_FACTOR = 0x94D049BB133111EB - 2**64


@dataclass(frozen=True)
class Advance:
    """What one step of every world brought, and how the episodes that it ended looked at their end."""

    result: StepResult
    ended: Int64[Tensor, " ended"]
    """The worlds whose episodes ended."""
    final: State
    """Their last states, in the same order; by now these worlds have begun their next episodes."""


class BatchedEpisodes:
    """Worlds that start over by themselves.

    The layout of episode k of world w is drawn by a hash of w's key and k, so it does not depend on what a policy does:
    two policies on episodes made from equal generators, or on the same ones after `reset`, face the same starts.
    """

    def __init__(
        self, layouts: Layouts, n_worlds: int, *, generator: torch.Generator, device: str | torch.device = "cpu"
    ) -> None:
        """Draw the key of each world and begin the first episodes.

        Raises ValueError unless there is at least one world.
        """
        if n_worlds < 1:
            raise ValueError(f"The number of worlds is {n_worlds}; at least 1 is needed.")
        self.spec = layouts.spec
        self.n_worlds = n_worlds
        self._start = layouts.start.to(device)
        self._cumulative = layouts.probability.cumsum(0).to(device)
        drawn = torch.randint(-(2**63), 2**63 - 1, (n_worlds,), generator=generator, device=generator.device)
        self._key = drawn.to(device)
        self.reset()

    @property
    def state(self) -> State:
        """The state that the worlds are in now."""
        return self._state

    @property
    def episode(self) -> Int64[Tensor, " world"]:
        """How many episodes each world has ended."""
        return self._episode

    @property
    def layout(self) -> Int64[Tensor, " world"]:
        """The layout that each world's present episode began with."""
        return self._layout

    def reset(self) -> None:
        """Begin the first episode of every world, the same one each time."""
        self._episode = torch.zeros_like(self._key)
        self._layout = self._draw(self._key, self._episode)
        self._state = self._start[self._layout]

    def begin_next(self) -> None:
        """Begin the next episode of every world, wherever the present one stands."""
        self._begin_next(torch.arange(self.n_worlds, device=self._key.device))

    def step(self, action: Shaped[Tensor, "..."]) -> Advance:
        """Take one action in every world and begin the next episode where one ended.

        Raises ValueError for actions that MiniGrid does not have, or for another number of them than of worlds.
        """
        self._state, result = step(self._state, action, self.spec)
        ended = result.ended.nonzero()[:, 0]
        final = self._state[ended]
        self._begin_next(ended)
        return Advance(result, ended, final)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of the states and of how far each world has come."""
        return {"episode": self._episode.clone(), "layout": self._layout.clone(), **vars(self._state.clone())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there, in worlds made from the same layouts and an equal generator."""
        device = self._key.device
        self._episode, self._layout = state["episode"].to(device), state["layout"].to(device)
        self._state = State(**{field.name: state[field.name] for field in fields(State)}).to(device)

    def put(self, state: State, *, episode: Int64[Tensor, " world"] | None = None) -> None:
        """Go on from another state of the same worlds, which is copied.

        With `episode`, a copy of what the property of that name was, later episodes begin as they did from there;
        without it each world goes on counting. Raises ValueError if sizes differ or MiniGrid could not be there.
        """
        if state.grid.shape != self._state.grid.shape:
            raise ValueError(
                f"The state has {len(state)} worlds of {state.grid.shape[1] - 1} cells; "
                f"these are {self.n_worlds} worlds of {self.spec.n_cells} cells."
            )
        require_legal(state, self.spec)
        self._state = state.clone()
        if episode is not None:
            self._episode = episode.clone()
            self._layout = self._draw(self._key, self._episode)

    def _begin_next(self, world: Int64[Tensor, " ended"]) -> None:
        if not len(world):
            return
        episode = self._episode[world] + 1
        layout = self._draw(self._key[world], episode)
        self._episode[world] = episode
        self._layout[world] = layout
        self._state.put(world, self._start[layout])

    def _draw(self, key: Int64[Tensor, " some"], episode: Int64[Tensor, " some"]) -> Int64[Tensor, " some"]:
        drawn = torch.searchsorted(self._cumulative, uniform_hash(key + episode * _GOLDEN_GAMMA), right=True)
        return drawn.clamp_(max=len(self._cumulative) - 1)  # rounding may leave the last sum a little below 1


def uniform_hash(number: Int64[Tensor, " some"]) -> Float64[Tensor, " some"]:
    """Return a number in [0, 1) for each integer, as SplitMix64 scatters them (Steele et al. 2014, fig. 18)."""
    number = (number ^ _shifted(number, 30)) * _FIRST_FACTOR
    number = (number ^ _shifted(number, 27)) * _SECOND_FACTOR
    return _shifted(number ^ _shifted(number, 31), 11).double() * 2.0**-53


def _shifted(number: Int64[Tensor, " some"], n_bits: int) -> Int64[Tensor, " some"]:
    """Shift right and fill with zeros, which torch's signed shift does not."""
    return (number >> n_bits) & ((1 << (64 - n_bits)) - 1)
