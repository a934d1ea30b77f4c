"""MiniGrid beside the twin: the same state in both, one step in both, and a comparison of all that can be compared."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.core.grid import Grid
from minigrid.core.world_object import Box, WorldObj
from minigrid.minigrid_env import MiniGridEnv

from environments.batched.cells import THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of, thing_of
from environments.batched.dynamics import Verdict, step
from environments.batched.families import family_of, make
from environments.batched.layouts import setting_of, state_of
from environments.batched.rules import DoneBeside, Fetch, OpenDoor, OpenRedThenBlue, PickUpTarget, PutNear, Rule
from environments.batched.sight import observe
from environments.batched.state import State, concatenated

FIELDS = ("grid", "position", "direction", "hand", "time", "parameters")


def world_object(thing: Thing) -> WorldObj | None:
    """A fresh MiniGrid object."""
    if thing.kind == "empty":
        return None
    made = WorldObj.decode(OBJECT_TO_IDX[thing.kind], COLOR_TO_IDX[thing.colour], STATE_TO_IDX[thing.state])
    assert made is not None
    made.color = thing.colour  # decode makes every goal green
    if isinstance(made, Box) and thing.contents:
        made.contains = world_object(thing.contents)
    return made


WALLS = {code: world_object(thing) for code, thing in THING_OF_CODE.items() if thing.kind == "wall"}
"""Walls are most of a grid and never change, so they are shared."""


def put_state(env: MiniGridEnv, state: State) -> None:
    """Put MiniGrid's environment into a state of one world."""
    codes = codes_of(state.grid[0, :-1]).tolist()
    objects = [WALLS.get(code) or world_object(THING_OF_CODE[code]) for code in codes]  # column by column
    env.grid = Grid(env.width, env.height)
    env.grid.grid = [objects[x * env.height + y] for y in range(env.height) for x in range(env.width)]
    x, y = divmod(int(state.position), env.height)
    env.agent_pos, env.agent_dir = (x, y), int(state.direction)
    env.carrying = world_object(THING_OF_CODE[int(state.hand)])
    env.step_count = int(state.time)
    _point_at_parameters(env, state, objects)


def _point_at_parameters(env: MiniGridEnv, state: State, objects: Sequence[WorldObj | None]) -> None:
    """Make the environment's own names for its targets say what the state's parameters say."""
    first, second, third = state.parameters[0].tolist()
    rule = _rule_of(env)
    places = [divmod(number, env.height) for number in (first, second)]
    if isinstance(rule, OpenRedThenBlue):
        vars(env).update(red_door=objects[first], blue_door=objects[second])
    if isinstance(rule, OpenDoor):
        vars(env).update(door=objects[first])
    if isinstance(rule, PickUpTarget):
        alike = [made for made in (*objects, env.carrying) if made and thing_of(made) == THING_OF_CODE[first]]
        vars(env).update(obj=alike[0] if alike else Box("red"))
    for name, value in (("success_pos", places[0]), ("failure_pos", places[1]), ("target_pos", places[0])):
        if hasattr(env, name):
            setattr(env, name, value)
    _name_targets(env, first, second, third)


def _name_targets(env: MiniGridEnv, first: int, second: int, third: int) -> None:
    """Say in the environment's own words what the codes among the parameters stand for."""
    rule = _rule_of(env)
    if isinstance(rule, DoneBeside):
        landmark = THING_OF_CODE[second]
        vars(env).update(targetType=landmark.kind, target_color=landmark.colour)
    if isinstance(rule, PutNear):
        mover, target = THING_OF_CODE[first], THING_OF_CODE[third]
        vars(env).update(move_type=mover.kind, moveColor=mover.colour, target_pos=divmod(second, env.height))
        vars(env).update(target_type=target.kind, target_color=target.colour)
    if isinstance(rule, Fetch):
        vars(env).update(targetType=THING_OF_CODE[first].kind, targetColor=THING_OF_CODE[first].colour)


RULES: dict[type, Rule] = {}


def _rule_of(env: MiniGridEnv) -> Rule:
    """The rule of an environment, found once for each class."""
    if type(env) not in RULES:
        RULES[type(env)] = family_of(env).rule
    return RULES[type(env)]


class Beside:
    """Some MiniGrid environments of one id, and the twin in the same states."""

    def __init__(self, env_id: str, n_worlds: int, **options: int) -> None:
        self.envs = [make(env_id, **options) for _ in range(n_worlds)]
        self.setting = setting_of(self.envs[0], env_id)

    def reset(self, seeds: Sequence[int]) -> None:
        images = [env.reset(seed=seed)[0]["image"] for env, seed in zip(self.envs, seeds, strict=True)]
        self.state = concatenated([state_of(env) for env in self.envs])
        self.is_running = np.ones(len(self.envs), dtype=bool)
        self._compare_images(images)

    def put(self, state: State) -> None:
        for world, env in enumerate(self.envs):
            put_state(env, state[torch.tensor([world])])
        self.state = state.clone()
        self.is_running = np.ones(len(self.envs), dtype=bool)

    def step(self, actions: Sequence[int]) -> Verdict:
        """Step both and assert that they agree, in the worlds whose episodes have not ended."""
        taken = torch.tensor(list(actions)) * torch.tensor(self.is_running)  # whose episode ended turns on the spot
        self.state, verdict = step(self.state, taken, self.setting)
        images = {}
        for world in np.flatnonzero(self.is_running).tolist():
            env = self.envs[world]
            observation, reward, terminated, truncated, _ = env.step(int(actions[world]))
            images[world] = observation["image"]
            told = (verdict.reward[world].item(), verdict.terminated[world].item(), verdict.truncated[world].item())
            assert told == (np.float32(reward), terminated, truncated), (self.setting, world, actions[world])
            assert verdict.success[world].item() == (float(reward) > 0)
            self._compare_state(world)
            self.is_running[world] = not (terminated or truncated)
        self._compare_images([images.get(world) for world in range(len(self.envs))])
        return verdict

    def _compare_state(self, world: int) -> None:
        """All of the state but the parameters, which an environment may lose with its target."""
        theirs = state_of_running(self.envs[world])
        for name in FIELDS[:-1]:
            ours = getattr(self.state, name)[world]
            assert torch.equal(ours, theirs[name]), (self.setting, world, name, ours, theirs[name])

    def _compare_images(self, images: Sequence[np.ndarray | None]) -> None:
        frames = observe(self.state, self.setting).numpy()
        for world, image in enumerate(images):
            if image is not None:
                assert np.array_equal(frames[world], image), (self.setting, world)


def state_of_running(env: MiniGridEnv) -> dict[str, torch.Tensor]:
    """What `state_of` reads, parameters aside."""
    things = [thing_of(env.grid.get(x, y)) for x in range(env.width) for y in range(env.height)]
    cells = cell_of_code(torch.device("cpu"))
    return {
        "grid": cells[[*(code_of(thing) for thing in things), code_of(WALL)]],
        "position": torch.tensor(int(env.agent_pos[0]) * env.height + int(env.agent_pos[1])),
        "direction": torch.tensor(int(env.agent_dir)),
        "hand": torch.tensor(code_of(thing_of(env.carrying)), dtype=torch.int32),
        "time": torch.tensor(env.step_count),
    }


@pytest.fixture
def beside() -> Callable[..., Beside]:
    return Beside


@pytest.fixture(name="world_object")
def made_world_object() -> Callable[[Thing], WorldObj | None]:
    return world_object


@pytest.fixture
def put() -> Callable[[MiniGridEnv, State], None]:
    return put_state
