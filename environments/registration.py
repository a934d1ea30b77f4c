"""Environment ids: MiniGrid's and ours, which of them the twin steps, and MiniGrid's own environment of each."""

from difflib import get_close_matches
from importlib.util import find_spec

import gymnasium
import minigrid  # noqa: F401 -- registers MiniGrid's own ids
from minigrid.minigrid_env import MiniGridEnv


class WorldError(ValueError):
    """A world that is not there, or a value that it does not have; the sentence names it and what was expected."""


_MEMORY_S7 = {"size": 7, "max_steps": 50}

_OWN_ENTRY_POINTS = {
    "MiniGrid-MemoryS7FixedStart-v0": "environments.memory:MovableMemoryEnv",
    "MiniGrid-MemoryS7FixedStartStatic-v0": "environments.memory:StaticMemoryEnv",
    "MiniGrid-MemoryS7RandomDirection-v0": "environments.memory:RandomDirectionMemoryEnv",
}

_MINIGRID_IDS = (
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-MemoryS9-v0",
    "MiniGrid-MemoryS11-v0",
    "MiniGrid-MemoryS13-v0",
    "MiniGrid-MemoryS13Random-v0",
    "MiniGrid-MemoryS17Random-v0",
)

SUPPORTED_IDS: tuple[str, ...] = (*_OWN_ENTRY_POINTS, *_MINIGRID_IDS)
"""Every environment id whose state graph can be enumerated."""

TWIN_PREFIX = "twin/"
"""What stands before the id under which `gymnasium.make_vec` makes the batched twin of MiniGrid's environments."""


def register_worlds() -> None:
    """Register the study's own ids with gymnasium, and the twin of each id; those that are registered already stay."""
    for env_id, entry_point in _OWN_ENTRY_POINTS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=entry_point, kwargs=dict(_MEMORY_S7))
    for env_id in twin_ids():
        if TWIN_PREFIX + env_id not in gymnasium.registry:
            maker = "environments.making:make_vector"
            gymnasium.register(id=TWIN_PREFIX + env_id, vector_entry_point=maker, kwargs={"env_id": env_id})


def twin_ids() -> tuple[str, ...]:
    """Return the ids of MiniGrid and ours that the twin steps: their classes are not refused and need nothing more."""
    return tuple(
        env_id
        for env_id, spec in gymnasium.registry.items()
        if env_id.startswith("MiniGrid-")
        and str(spec.entry_point).startswith(("minigrid.envs:", "environments.memory:"))
        and "DynamicObstacles" not in str(spec.entry_point)
    )


def require_supported(env_id: str) -> None:
    """Raise WorldError unless `env_id` is one of SUPPORTED_IDS."""
    if env_id not in SUPPORTED_IDS:
        raise WorldError(f"The environment id {env_id!r} is not supported; choose one of {', '.join(SUPPORTED_IDS)}.")


def make(env_id: str, **options: int) -> MiniGridEnv:
    """Return MiniGrid's environment of this id, without wrappers.

    Raises WorldError for an id that is not MiniGrid's, for one that needs packages which are missing, and for a view
    that MiniGrid does not have.
    """
    known = [known_id for known_id in gymnasium.registry if not known_id.startswith(TWIN_PREFIX)]
    if env_id not in known:
        nearest = get_close_matches(env_id, known, n=1, cutoff=0)[0]
        raise WorldError(
            f"There is no environment {env_id!r}; the nearest id is {nearest!r}, docs/worlds.md has them all."
        )
    _require_view(options.get("agent_view_size", _USUAL_VIEW))
    if env_id.startswith("MiniGrid-WFC-") and not all(map(find_spec, _WFC_PACKAGES)):
        raise WorldError(
            f"{env_id} needs {' and '.join(_WFC_PACKAGES)}; install them with `pip install 'minigrid[wfc]'`."
        )
    env = gymnasium.make(env_id, disable_env_checker=True, **options).unwrapped
    if not isinstance(env, MiniGridEnv):
        raise WorldError(f"{env_id!r} is a {type(env).__name__}, not a MiniGrid environment.")
    return env


def _require_view(size: int) -> None:
    if size < 3 or size % 2 == 0:
        raise WorldError(f"agent_view_size is {size}; the agent sees a square of an odd number of cells, at least 3.")


_USUAL_VIEW = 7
_WFC_PACKAGES = ("imageio", "networkx")
