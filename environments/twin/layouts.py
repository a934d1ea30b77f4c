"""Layouts: everything random about an episode, made by MiniGrid itself, ready to be stepped in batches."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from minigrid.minigrid_env import MiniGridEnv
from torch import Tensor

from environments.families.legality import require_legal
from environments.families.registry import family_of
from environments.grid.cells import WALL, cell_of_code, code_of, thing_of
from environments.grid.state import State, concatenated
from environments.grid.world_spec import WorldSpec, parameter_row
from environments.registration import make

CPU = torch.device("cpu")

_ROUNDING = 1e-6
"""How far from 1 a sum of probabilities may be."""


@dataclass(frozen=True, eq=False)
class Layouts:
    """Beginnings of episodes of one world, with the probability of each.

    Raises ValueError for none at all, for states in which MiniGrid could not be, and for probabilities that are none.
    """

    spec: WorldSpec
    start: State
    """One world for each layout, at time 0."""
    probability: Float64[Tensor, " layout"]

    def __post_init__(self) -> None:
        if not len(self.start):
            raise ValueError(f"There is no layout of {self.spec.env_id}; at least one is needed to begin an episode.")
        _require_cells([self.start], self.spec)
        require_legal(self.start, self.spec)
        self._require_probabilities()

    def __len__(self) -> int:
        """Return the number of layouts."""
        return len(self.start)

    def _require_probabilities(self) -> None:
        if self.probability.shape != (len(self),):
            raise ValueError(f"There are {self.probability.numel()} probabilities for {len(self)} layouts.")
        total = float(self.probability.sum())
        if not abs(total - 1) <= _ROUNDING or bool((self.probability < 0).any()):
            raise ValueError(
                f"The probabilities of the layouts sum to {total:g}, and the smallest is "
                f"{float(self.probability.min()):g}; they are at least 0 and sum to 1."
            )


def draw_layouts(env_id: str, seeds: Iterable[int], **options: int) -> Layouts:
    """Return the layouts that MiniGrid makes from these seeds, each as likely as the others.

    `options` go to `gymnasium.make`, such as max_steps and agent_view_size. Raises ValueError for a world that the twin
    cannot step, with the reason, and for a seed below 0.
    """
    env = make(env_id, **options)
    family_of(env)
    starts = []
    for seed in seeds:
        if seed < 0:
            raise ValueError(f"A seed of {env_id} is {seed}; MiniGrid's seeds are at least 0.")
        env.reset(seed=seed)
        starts.append(state_of(env))
    return uniform(spec_of(env, env_id), starts)


def uniform(spec: WorldSpec, starts: list[State]) -> Layouts:
    """Return layouts that begin episodes with equal probability."""
    if not starts:
        raise ValueError(f"There is no layout of {spec.env_id}; at least one is needed to begin an episode.")
    _require_cells(starts, spec)
    start = concatenated(starts)
    return Layouts(spec, start, torch.full((len(start),), 1 / len(start), dtype=torch.float64))


def _require_cells(states: list[State], spec: WorldSpec) -> None:
    for state in states:
        if state.grid.shape[1] != spec.n_cells + 1:
            raise ValueError(
                f"The layouts have {state.grid.shape[1] - 1} cells each; a grid of {spec.env_id} has "
                f"{spec.width} by {spec.height}."
            )


def spec_of(env: MiniGridEnv, env_id: str) -> WorldSpec:
    """Return what all episodes of an environment share."""
    return WorldSpec(
        env_id=env_id,
        width=env.width,
        height=env.height,
        max_steps=env.max_steps,
        rule=family_of(env).rule,
        view=env.agent_view_size,
        sees_through_walls=env.see_through_walls,
    )


def state_of(env: MiniGridEnv) -> State:
    """Return the state that an environment is in, as a batch of one world."""
    family = family_of(env)
    return state_beside(env, parameter_row(family.rule, family.parameters(env)))


def state_beside(env: MiniGridEnv, parameters: Int64[Tensor, "1 parameter"]) -> State:
    """Return the state that an environment of any kind is in, with the parameters of a rule that it may not play by."""
    objects = [env.grid.get(x, y) for x in range(env.width) for y in range(env.height)]
    codes = torch.tensor([*(code_of(thing_of(thing)) for thing in objects), code_of(WALL)])
    x, y = (int(coordinate) for coordinate in env.agent_pos)
    return State(
        grid=cell_of_code(CPU).index_select(0, codes)[None],
        position=torch.tensor([x * env.height + y]),
        direction=torch.tensor([int(env.agent_dir)]),
        hand=torch.tensor([code_of(thing_of(env.carrying))], dtype=torch.int32),
        time=torch.tensor([env.step_count]),
        parameters=parameters,
    )
