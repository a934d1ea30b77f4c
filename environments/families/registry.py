"""Which family an environment belongs to, or why the twin cannot step it.

A family is told by the `step` method that an environment really runs, so a class that changes the rules is never taken
for the one that it derives from. Each family registers itself in its own file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from minigrid.core.world_object import WorldObj
from minigrid.envs.dynamicobstacles import DynamicObstaclesEnv
from minigrid.minigrid_env import MiniGridEnv

from environments.grid.facts import SHARED_FACT_VALUES
from environments.grid.world_spec import Rule
from environments.registration import WorldError

MINIGRID_VERSION = "3.2.0"
"""The version of MiniGrid whose source the rules were read from, and with which the twin was found equal."""

FACT_VALUES: dict[str, tuple[str, ...]] = {**SHARED_FACT_VALUES}
"""What the numbers of a categorical fact mean, the same in every world, so that joined demonstrations agree; facts that
are absent here are counts or coordinates."""

_ParameterReader = Callable[..., tuple[int, ...]]


@dataclass(frozen=True)
class Family:
    """A rule, and how its parameters are read from an environment that was reset."""

    rule: Rule
    parameters: _ParameterReader


_FAMILIES: dict[object, Family] = {}
_SHARED_METHODS = ("gen_obs", "gen_obs_grid", "get_view_exts", "_reward", "reset")


def register(rule: Rule, parameters: _ParameterReader, *classes: type[MiniGridEnv]) -> None:
    """Step the environments that run the `step` of one of these classes by this rule.

    Raises ValueError for a fact whose numbers mean something else in another family.
    """
    for name, values in rule.fact_values.items():
        if FACT_VALUES.setdefault(name, values) != values:
            raise ValueError(f"The fact {name!r} of {type(rule).__name__} is one of {FACT_VALUES[name]} elsewhere.")
    _FAMILIES.update(dict.fromkeys([made.step for made in classes], Family(rule, parameters)))


def family_of(env: MiniGridEnv) -> Family:
    """Return the family of an environment. Raises WorldError, with the reason, if the twin does not know its rules."""
    reason = refusal(env)
    if reason:
        raise WorldError(reason)
    return _FAMILIES[type(env).step]


def refusal(env: MiniGridEnv) -> str | None:
    """Return why the twin cannot step this environment, or None if it can."""
    name = env.spec.id if env.spec else type(env).__name__
    if isinstance(env, DynamicObstaclesEnv):
        return f"{name} moves its obstacles at random, so its steps are not decided by the layout; use MiniGridWorlds."
    if type(env).__module__.startswith("minigrid.envs.babyai"):
        return f"{name} is a BabyAI level: a verifier of instructions, which the twin lacks, decides on its success."
    if type(env).step not in _FAMILIES:
        return f"{name} has a step method of its own, which the twin does not know."
    changed = [method for method in _SHARED_METHODS if getattr(type(env), method) is not getattr(MiniGridEnv, method)]
    if changed:
        return f"{name} overrides {', '.join(changed)} of MiniGrid, which the twin takes as MiniGrid has them."
    return None


def cell_of_place(env: MiniGridEnv, place: tuple[int | np.integer, int | np.integer]) -> int:
    """Return the number of a cell (x, y)."""
    return int(place[0]) * env.height + int(place[1])


def cell_of_object(env: MiniGridEnv, wanted: WorldObj) -> int:
    """Return the cell in which this very object lies."""
    index = next(index for index, thing in enumerate(env.grid.grid) if thing is wanted)
    return cell_of_place(env, (index % env.width, index // env.width))
