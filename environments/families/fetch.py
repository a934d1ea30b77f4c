"""Worlds of fetching: pick up the thing of the kind and colour that the mission names, and nothing else."""

from dataclasses import dataclass

from minigrid.envs.fetch import FetchEnv

from environments.families.registry import register
from environments.grid.cells import Thing, code_of
from environments.grid.facts import SeenCells, Target, target_like
from environments.grid.state import State
from environments.grid.transition import Ending, Transition, look_alike
from environments.grid.world_spec import Parameter, Rule


@dataclass(frozen=True)
class Fetch(Rule):
    """Carrying anything ends the episode; it pays if it is the target. Parameters: the target's code."""

    parameters = (Parameter.THING,)
    mission = (0,)

    def ending(self, transition: Transition) -> Ending:
        """End the episode with the first thing in hand."""
        return Ending(transition.hand != 0, look_alike(transition.hand, transition.parameters[:, 0]))

    def target(self, state: State, seen: SeenCells) -> Target:
        """Return the first thing that is like the target."""
        return target_like(state.parameters[:, 0], state, seen)


def _target(env: FetchEnv) -> tuple[int]:
    return (code_of(Thing(env.targetType, env.targetColor)),)


register(Fetch(), _target, FetchEnv)
