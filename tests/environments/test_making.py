"""Who steps which world."""

import pytest
import torch

from environments.making import make_worlds
from environments.minigrid_worlds import MiniGridWorlds
from environments.twin_worlds import TwinWorlds


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("env_id", "n_worlds", "kind"),
    [
        ("MiniGrid-MemoryS7FixedStart-v0", 4, TwinWorlds),
        ("MiniGrid-DoorKey-5x5-v0", 4, TwinWorlds),
        ("MiniGrid-DoorKey-5x5-v0", 1, TwinWorlds),
        ("MiniGrid-Dynamic-Obstacles-5x5-v0", 4, MiniGridWorlds),
        ("BabyAI-GoToRedBall-v0", 4, MiniGridWorlds),
    ],
)
def test_the_twin_steps_what_it_knows_and_minigrid_the_rest(env_id: str, n_worlds: int, kind: type) -> None:
    worlds = make_worlds(env_id, n_worlds, generator=_generator(), n_layouts=3)
    assert isinstance(worlds, kind)
    worlds.step(torch.zeros(n_worlds, dtype=torch.int64))
    assert worlds.facts().shape == (n_worlds, len(worlds.fact_names))


def test_an_unknown_id_is_refused() -> None:
    with pytest.raises(ValueError, match=r"There is no environment 'MiniGrid-Labyrinth-v0'"):
        make_worlds("MiniGrid-Labyrinth-v0", 4, generator=_generator())
