"""Worlds that start over: when, with which layouts, and what their ends looked like."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from minigrid.minigrid_env import MiniGridEnv

from environments.registration import make
from environments.twin.episodes import Advance, BatchedEpisodes
from environments.twin.layouts import Layouts, draw_layouts, spec_of, uniform

FORWARD, DONE = 2, 6


LOITERING = (0.15, 0.15, 0.5, 0.05, 0.05, 0.05, 0.05)
CARRYING = (0.15, 0.1, 0.4, 0.15, 0.1, 0.1, 0)
MOVING = (0.3, 0.3, 0.4, 0, 0, 0, 0)
OPENING = (0.15, 0.1, 0.45, 0.05, 0.05, 0.2, 0)
POINTING = (0.2, 0.2, 0.42, 0.08, 0.08, 0.01, 0.01)

DEEP = {
    "blockedunlockpickup": ("MiniGrid-BlockedUnlockPickup-v0", CARRYING),
    "crossing": ("MiniGrid-LavaCrossingS9N2-v0", MOVING),
    "distshift": ("MiniGrid-DistShift1-v0", MOVING),
    "doorkey": ("MiniGrid-DoorKey-8x8-v0", CARRYING),
    "empty": ("MiniGrid-Empty-Random-6x6-v0", LOITERING),
    "fetch": ("MiniGrid-Fetch-8x8-N3-v0", POINTING),
    "fourrooms": ("MiniGrid-FourRooms-v0", LOITERING),
    "gotodoor": ("MiniGrid-GoToDoor-8x8-v0", POINTING),
    "gotoobject": ("MiniGrid-GoToObject-8x8-N2-v0", POINTING),
    "keycorridor": ("MiniGrid-KeyCorridorS3R2-v0", CARRYING),
    "lavagap": ("MiniGrid-LavaGapS7-v0", MOVING),
    "lockedroom": ("MiniGrid-LockedRoom-v0", CARRYING),
    "memory": ("MiniGrid-MemoryS7FixedStart-v0", CARRYING),
    "multiroom": ("MiniGrid-MultiRoom-N4-S5-v1", OPENING),
    "obstructedmaze": ("MiniGrid-ObstructedMaze-1Dlh-v0", CARRYING),
    "playground": ("MiniGrid-Playground-v0", CARRYING),
    "putnear": ("MiniGrid-PutNear-8x8-N3-v0", CARRYING),
    "redbluedoors": ("MiniGrid-RedBlueDoors-8x8-v0", OPENING),
    "unlock": ("MiniGrid-Unlock-v0", CARRYING),
    "unlockpickup": ("MiniGrid-UnlockPickup-v0", CARRYING),
}
"""One world of each family, with how often each action is taken."""

N_DEEP_WORLDS = 250
N_DEEP_STEPS = 400
N_SAMPLED = 20
N_SEEDS = 25
HASTE = 60
"""Steps that are left to the episodes that begin late, so that every family meets its time limit."""


@pytest.mark.slow
def test_a_hundred_thousand_steps_agree_with_minigrid(family, deep: "Deep") -> None:
    """Reward, endings, place, direction and whether the hands are empty at every step; in samples everything else: the
    whole grid, what is in the hands, the step counter, the frame, the facts.

    MiniGrid makes no observation but in the samples, since that is what nearly all its time goes into.
    """
    rng = np.random.default_rng(0)
    for time in range(N_DEEP_STEPS):
        deep.step(rng.choice(7, size=N_DEEP_WORLDS, p=DEEP[family.name][1]))
        if time % 5 == 0:
            deep.compare_all(rng.choice(N_DEEP_WORLDS, size=N_SAMPLED, replace=False).tolist())
    assert deep.n_successes > 0 or family.name == "playground"
    assert deep.n_truncated > 0


@dataclass(frozen=True)
class Where:
    """Names for what happens in each world, made when they are asked for."""

    env_id: str
    layout: list[int]
    time: list[int]
    action: list[int]

    def __getitem__(self, world: int) -> str:
        origin = self.layout[world]
        seed = f"seed {origin}" if origin < N_SEEDS else f"layout {origin - N_SEEDS} along a walk"
        return f"{self.env_id}, {seed}, step {self.time[world]}, action {self.action[world]}"


@dataclass(frozen=True)
class Tools:
    """What MiniGrid's side and the comparison need."""

    put: Callable
    scene_of: Callable
    facts: Callable
    same_column: Callable
    same_scenes: Callable


class Deep:
    """Many episodes of the twin, and MiniGrid's environments, put where the twin's next episodes begin."""

    def __init__(self, layouts: Layouts, tools: Tools) -> None:
        self.episodes = BatchedEpisodes(layouts, N_DEEP_WORLDS, generator=torch.Generator().manual_seed(0))
        self.envs = [_without_observations(make(layouts.spec.env_id)) for _ in range(N_DEEP_WORLDS)]
        self._starts = [layouts.start[torch.tensor([layout])] for layout in range(len(layouts))]
        self._tools, self._where = tools, None
        self.n_successes = self.n_truncated = 0
        self._begin(range(N_DEEP_WORLDS))

    def _begin(self, worlds: Iterable[int]) -> None:
        for world in worlds:
            self._tools.put(self.envs[world], self._starts[int(self.episodes.layout[world])])

    def step(self, action: np.ndarray) -> None:
        """Step both, and compare what came of it in every world."""
        begun = self.episodes.layout.tolist(), self.episodes.state.time.tolist()
        self._where = where = Where(self.episodes.spec.env_id, *begun, action.tolist())
        told = [env.step(act)[1:4] for env, act in zip(self.envs, action.tolist(), strict=True)]
        after = [(*env.agent_pos, env.agent_dir, env.carrying is None) for env in self.envs]
        advance = self.episodes.step(torch.tensor(action))
        ours = _twins(advance, self.episodes)
        for name, column in _told(told, after, self.episodes.spec.height).items():
            self._tools.same_column(name, ours[name], column, where)
        self._begin(advance.ended.tolist())
        self.n_successes += int(advance.result.success.sum())
        self.n_truncated += int(advance.result.truncated.sum())

    def compare_all(self, sample: list[int]) -> None:
        """Compare everything in some of the worlds; those whose episodes have just ended are at their next start."""
        state = self.episodes.state[torch.tensor(sample)]
        scenes = [
            self._tools.scene_of(env, parameters, MiniGridEnv.gen_obs(env)["image"], self._tools.facts(env))
            for env, parameters in zip([self.envs[world] for world in sample], state.parameters.tolist(), strict=True)
        ]
        assert self._where is not None
        names = [f"after {self._where[world]}" for world in sample]
        self._tools.same_scenes(state, scenes, names, self.episodes.spec)


def _told(told: list[tuple], after: list[tuple], height: int) -> dict[str, np.ndarray]:
    """What MiniGrid said, and where its agents are."""
    reward, terminated, truncated = (np.array(column) for column in zip(*told, strict=True))
    x, y, direction, is_empty = (np.array(column) for column in zip(*after, strict=True))
    result = {"reward": reward.astype(np.float32), "terminated": terminated, "truncated": truncated}
    return {**result, "position": x * height + y, "direction": direction, "empty hands": is_empty}


def _twins(advance: Advance, episodes: BatchedEpisodes) -> dict[str, np.ndarray]:
    """The same of the twin: the last states of the episodes that ended, and the present ones of the others."""
    state, result = episodes.state.clone(), advance.result
    state.put(advance.ended, advance.final)
    said = {"reward": result.reward, "terminated": result.terminated, "truncated": result.truncated}
    places = {"position": state.position, "direction": state.direction, "empty hands": state.hand == 0}
    return {name: column.numpy() for name, column in (said | places).items()}


def _without_observations(env: MiniGridEnv) -> MiniGridEnv:
    env.reset(seed=0)
    env.gen_obs = dict
    return env


@pytest.fixture
def tools(
    put: Callable, scene_of: Callable, facts_in_minigrid: Callable, same_column: Callable, same_scenes: Callable
) -> Tools:
    return Tools(put, scene_of, facts_in_minigrid, same_column, same_scenes)


@pytest.fixture
def deep(family, watch: Callable, wanderer: Callable, states_of: Callable, tools: Tools) -> Deep:
    """Episodes that begin with a seed's layout, or on somebody's way to a success that aimless steps would not find; of
    these once with all the time there is, and once with little left.
    """
    env_id = DEEP[family.name][0]
    watched, walker = watch(env_id, max_steps=1000), wanderer(3)
    watched.reset(3)
    for _ in range(1500):
        watched.step(walker.choose(watched.env))
        if watched.has_ended:
            watched.reset(3 + len(watched.moves))
            walker.forget()
    last = [move.before for move in watched.moves if move.told[0]]
    along = states_of([*last[:10], *(move.before for move in watched.moves[::100])])
    spec = spec_of(make(env_id), env_id)
    early, late = (
        replace(along, time=torch.full_like(along.time, time)) for time in (0, max(0, spec.max_steps - HASTE))
    )
    return Deep(uniform(spec, [draw_layouts(env_id, range(N_SEEDS)).start, early, late]), tools)
