"""An environment id into worlds, whoever steps them."""

import torch

from environments.batched.families import make, refusal
from environments.batched.layouts import draw_layouts
from environments.graph.starts import exhaustive_layouts
from environments.minigrid_worlds import MiniGridWorlds
from environments.registration import SUPPORTED_IDS
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
