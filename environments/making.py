"""Worlds of any environment id, stepped by the twin where it knows the rules."""

import torch

from environments.families.registry import refusal
from environments.graph.starts import exhaustive_layouts
from environments.minigrid_worlds import MiniGridWorlds
from environments.registration import SUPPORTED_IDS, make
from environments.twin.layouts import draw_layouts
from environments.twin.vector import TwinVectorEnv
from environments.twin_worlds import TwinWorlds
from environments.worlds import Worlds

N_LAYOUTS = 1024
"""Layouts drawn for a world that has more of them than can be listed."""


def make_worlds(
    env_id: str,
    n_worlds: int,
    *,
    generator: torch.Generator,
    device: str | torch.device = "cpu",
    n_layouts: int = N_LAYOUTS,
) -> Worlds:
    """Return worlds of any MiniGrid id: the twin's where it knows the rules, else MiniGrid's own.

    Memory worlds begin with all their layouts, others with `n_layouts` that MiniGrid draws from consecutive seeds, of
    which the first comes from the generator. Raises ValueError for an id that is not MiniGrid's.
    """
    if refusal(make(env_id)):
        return MiniGridWorlds(env_id, n_worlds, generator=generator, device=device)
    if env_id in SUPPORTED_IDS:
        return TwinWorlds(exhaustive_layouts(env_id), n_worlds, generator=generator, device=device, explore=True)
    first_seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    layouts = draw_layouts(env_id, range(first_seed, first_seed + n_layouts))
    return TwinWorlds(layouts, n_worlds, generator=generator, device=device)


def make_vector(
    num_envs: int,
    env_id: str,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    n_layouts: int = N_LAYOUTS,
    **options: int,
) -> TwinVectorEnv:
    """Return the twin of an id as gymnasium's vector environment: what `gymnasium.make_vec` calls for `twin/` ids.

    Memory worlds without `options`, which go to MiniGrid, begin with all their layouts, other worlds with those of the
    seeds 0 to n_layouts - 1. Raises ValueError for a world that the twin cannot step, with the reason.
    """
    if env_id in SUPPORTED_IDS and not options:
        layouts = exhaustive_layouts(env_id)
    else:
        layouts = draw_layouts(env_id, range(n_layouts), **options)
    return TwinVectorEnv(layouts, num_envs, seed=seed, device=device)
