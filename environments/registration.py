"""The study's environment classes into gymnasium ids, beside those that MiniGrid registers itself."""

import gymnasium
import minigrid  # noqa: F401 -- registers MiniGrid's own ids

from environments.errors import WorldError

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
