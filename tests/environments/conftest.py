"""MiniGrid's side of every comparison: its environments watched, read, and where the twin differs, in a sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import load_env_creator
from minigrid.core.world_object import WorldObj
from minigrid.minigrid_env import MiniGridEnv

from environments.families.facts import fact_names, facts_of_states
from environments.grid.cells import THING_OF_CODE, WALL, Thing, cell_of_code, code_of, codes_of, thing_of
from environments.grid.observation import observe
from environments.grid.state import State, concatenated
from environments.grid.world_spec import WorldSpec
from environments.registration import make, twin_ids
from environments.twin.dynamics import StepResult, step
from environments.twin.layouts import spec_of, state_of
from tests.environments.minigrid_states import put_state, world_object
from tests.environments.wanderer import facts_in_minigrid as facts_in_minigrid
from tests.environments.wanderer import wanderer as wanderer

FIELDS = ("position", "direction", "hand", "time")


@dataclass(frozen=True)
class FamilyOfIds:
    """The ids whose classes stand in one module of MiniGrid, its later version's included, or in ours."""

    name: str
    env_ids: tuple[str, ...]


def module_of(env_id: str) -> str:
    """The module of MiniGrid that an id's class is defined in, as a word."""
    creator = load_env_creator(str(gymnasium.spec(env_id).entry_point))
    return creator.__module__.rpartition(".")[2].removesuffix("_v1")


FAMILIES = [FamilyOfIds(name, tuple(ids)) for name, ids in groupby(sorted(twin_ids(), key=module_of), key=module_of)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `family` is run for each of them."""
    if "family" in metafunc.fixturenames:
        metafunc.parametrize("family", FAMILIES, ids=lambda family: family.name)


# -------------------------------------------------------------------------------------- MiniGrid watched and read

WALL_CODES = {thing.colour: code for code, thing in THING_OF_CODE.items() if thing.kind == "wall"}


def _code(thing: WorldObj | None) -> int:
    if thing is None:
        return 0
    return WALL_CODES[thing.color] if thing.type == "wall" else code_of(thing_of(thing))


@dataclass(frozen=True, eq=False)
class Scene:
    """All that MiniGrid says about one moment. Its rule's parameters are those with which the episode began."""

    codes: list[int]
    """Of the grid's cells, column by column, and of the wall around it."""
    position: int
    direction: int
    hand: int
    time: int
    parameters: tuple[int, ...]
    image: np.ndarray
    facts: dict[str, int]
    """Empty where nobody asked for them."""


Facts = Callable[[MiniGridEnv], dict[str, int]]


def read_scene(env: MiniGridEnv, parameters: Iterable[int], image: np.ndarray, facts: dict[str, int]) -> Scene:
    """Read an environment object by object."""
    cells, width, height = env.grid.grid, env.width, env.height
    codes = [_code(cells[y * width + x]) for x in range(width) for y in range(height)]
    return Scene(
        codes=[*codes, code_of(WALL)],
        position=int(env.agent_pos[0]) * height + int(env.agent_pos[1]),
        direction=int(env.agent_dir),
        hand=_code(env.carrying),
        time=env.step_count,
        parameters=tuple(parameters),
        image=image,
        facts=facts,
    )


def state_of_scenes(scenes: Sequence[Scene]) -> State:
    """The scenes as states of the twin, one world each."""
    codes = torch.tensor(np.array([scene.codes for scene in scenes]))
    return State(
        grid=cell_of_code(torch.device("cpu"))[codes],
        position=torch.tensor([scene.position for scene in scenes]),
        direction=torch.tensor([scene.direction for scene in scenes]),
        hand=torch.tensor([scene.hand for scene in scenes], dtype=torch.int32),
        time=torch.tensor([scene.time for scene in scenes]),
        parameters=torch.tensor([scene.parameters for scene in scenes]),
    )


@dataclass(frozen=True, eq=False)
class Move:
    """One step of MiniGrid."""

    origin: str
    """Id, seed, and number of the step."""
    before: Scene
    action: int
    told: tuple[float, bool, bool]
    """Reward, terminated, truncated."""
    after: Scene

    def __str__(self) -> str:
        """Where it was and what was done, for a message."""
        return f"{self.origin}, action {self.action}"


class Watched:
    """An environment of MiniGrid, all of whose moves are kept."""

    def __init__(self, env_id: str, facts: Facts | None = None, **options: int) -> None:
        self.env, self._facts = make(env_id, **options), facts
        self.spec = spec_of(self.env, env_id)
        self.moves: list[Move] = []
        self.has_ended = False

    def reset(self, seed: int) -> None:
        image = self.env.reset(seed=seed)[0]["image"]
        self._begin(f"seed {seed}", image, tuple(state_of(self.env).parameters[0].tolist()))

    def put(self, state: State) -> None:
        put_state(self.env, state)
        self._begin("a state put there", self.env.gen_obs()["image"], tuple(state.parameters[0].tolist()))

    def _begin(self, origin: str, image: np.ndarray, parameters: tuple[int, ...]) -> None:
        self.origin, self.has_ended = origin, False
        self.scene = self._read(parameters, image)

    def _read(self, parameters: tuple[int, ...], image: np.ndarray) -> Scene:
        facts = self._facts(self.env) if self._facts and not self.has_ended else {}
        return read_scene(self.env, parameters, image, facts)

    def step(self, action: int) -> None:
        origin = f"{self.spec.env_id}, {self.origin}, step {self.env.step_count}"
        observation, reward, terminated, truncated, _ = self.env.step(action)
        self.has_ended = terminated or truncated
        after = self._read(self.scene.parameters, observation["image"])
        self.moves.append(Move(origin, self.scene, action, (float(reward), terminated, truncated), after))
        self.scene = after


# ------------------------------------------------------------------------------------------------- the comparison


def assert_twin_agrees(watched: Watched) -> None:
    """Let the twin make every move from where MiniGrid was, and compare all that came of it.

    Since each move begins where the one before it led, this is the same as letting the twin walk by itself.
    """
    moves, spec = watched.moves, watched.spec
    names = [str(move) for move in moves]
    before = state_of_scenes([move.before for move in moves])
    assert_scenes(before, [move.before for move in moves], [f"before {name}" for name in names], spec)
    stepped, result = step(before, torch.tensor([move.action for move in moves]), spec)
    rewards, terminated, truncated = (np.array(column) for column in zip(*(move.told for move in moves), strict=True))
    assert_column("reward", result.reward.numpy(), rewards.astype(np.float32), names)
    assert_column("success", result.success.numpy(), rewards > 0, names)
    assert_column("terminated", result.terminated.numpy(), terminated, names)
    assert_column("truncated", result.truncated.numpy(), truncated, names)
    assert_scenes(stepped, [move.after for move in moves], [f"after {name}" for name in names], spec)


def assert_scenes(ours: State, theirs: Sequence[Scene], names: Sequence[str], spec: WorldSpec) -> None:
    """Compare states, frames and facts."""
    assert_states(ours, state_of_scenes(theirs), names, spec)
    assert_frames(observe(ours, spec).numpy(), [scene.image for scene in theirs], names)
    assert_facts(ours, [scene.facts for scene in theirs], names, spec)


def assert_column(what: str, ours: np.ndarray, theirs: np.ndarray, names: Sequence[str]) -> None:
    """Compare one number per row."""
    for row in np.flatnonzero(ours != theirs)[:1]:
        pytest.fail(f"{names[row]}: {what} is {ours[row]} in the twin and {theirs[row]} in MiniGrid")


def assert_states(ours: State, theirs: State, names: Sequence[str], spec: WorldSpec) -> None:
    """Compare grids, poses, hands and step counters; a target that is lost has no parameters to compare."""
    for row, cell in np.argwhere((ours.grid != theirs.grid).numpy())[:1]:
        things = [THING_OF_CODE[int(codes_of(state.grid[row, cell]))] for state in (ours, theirs)]
        place = spec.place(int(cell))
        pytest.fail(f"{names[row]}: cell {place} holds {things[0]} in the twin and {things[1]} in MiniGrid")
    for field in FIELDS:
        assert_column(field, getattr(ours, field).numpy(), getattr(theirs, field).numpy(), names)


def assert_frames(ours: np.ndarray, theirs: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Compare what is seen."""
    for row, x, y, _ in np.argwhere(ours != np.array(theirs))[:1]:
        pytest.fail(
            f"{names[row]}: cell ({x}, {y}) of the view shows {ours[row, x, y]} in the twin and "
            f"{theirs[row][x, y]} in MiniGrid"
        )


def assert_facts(ours: State, theirs: Sequence[dict[str, int]], names: Sequence[str], spec: WorldSpec) -> None:
    """Compare the facts of each state in which an action is taken, where MiniGrid was asked for them."""
    columns = dict(zip(fact_names(spec), facts_of_states(ours, spec).T.numpy(), strict=True))
    for fact, column in columns.items():
        asked = [row for row, facts in enumerate(theirs) if fact in facts]
        assert_column(
            fact, column[asked], np.array([theirs[row][fact] for row in asked]), [names[row] for row in asked]
        )


class Beside:
    """Some MiniGrid environments of one id, and the twin in the same states, each going on from where it is itself."""

    def __init__(self, env_id: str, n_worlds: int, **options: int) -> None:
        self.envs = [make(env_id, **options) for _ in range(n_worlds)]
        self.spec = spec_of(self.envs[0], env_id)

    def reset(self, seeds: Sequence[int]) -> None:
        images = [env.reset(seed=seed)[0]["image"] for env, seed in zip(self.envs, seeds, strict=True)]
        self.state = concatenated([state_of(env) for env in self.envs])
        self.names = [f"{self.spec.env_id}, seed {seed}" for seed in seeds]
        self.is_running = np.ones(len(self.envs), dtype=bool)
        assert_frames(observe(self.state, self.spec).numpy(), images, self.names)

    def step(self, actions: Sequence[int]) -> StepResult:
        """Step both and assert that they agree, in the worlds whose episodes have not ended."""
        taken = torch.tensor(list(actions)) * torch.tensor(self.is_running)  # whose episode ended turns on the spot
        time = self.state.time.tolist()
        self.state, result = step(self.state, taken, self.spec)
        for world in np.flatnonzero(self.is_running).tolist():
            observation, reward, *over = self.envs[world].step(int(actions[world]))[:4]
            names = [f"after {self.names[world]}, step {time[world]}, action {actions[world]}"]
            for name, told in (("reward", np.float32(reward)), ("terminated", over[0]), ("truncated", over[1])):
                assert_column(name, getattr(result, name)[[world]].numpy(), np.array([told]), names)
            scene = read_scene(self.envs[world], self.state.parameters[world].tolist(), observation["image"], {})
            assert_scenes(self.state[torch.tensor([world])], [scene], names, self.spec)
            self.is_running[world] = not any(over)
        return result


@pytest.fixture
def beside() -> Callable[..., Beside]:
    return Beside


@pytest.fixture
def watch() -> Callable[..., Watched]:
    return Watched


@pytest.fixture
def agrees() -> Callable[[Watched], None]:
    return assert_twin_agrees


@pytest.fixture
def same_column() -> Callable[..., None]:
    return assert_column


@pytest.fixture
def same_scenes() -> Callable[..., None]:
    return assert_scenes


@pytest.fixture
def scene_of() -> Callable[..., Scene]:
    return read_scene


@pytest.fixture
def states_of() -> Callable[[Sequence[Scene]], State]:
    return state_of_scenes


@pytest.fixture(name="world_object")
def made_object() -> Callable[[Thing], WorldObj | None]:
    return world_object


@pytest.fixture
def put() -> Callable[[MiniGridEnv, State], None]:
    return put_state
