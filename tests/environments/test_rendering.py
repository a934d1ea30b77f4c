"""Pictures of frames and states, against the ones that MiniGrid draws of the same situation."""

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import cast

import gymnasium
import numpy as np
import pytest
from minigrid.envs.memory import MemoryEnv
from PIL import Image

from environments.graph.state_graph import state_graph
from environments.rendering import png_data_uri, render_frame, render_state

MOVABLE = "MiniGrid-MemoryS7FixedStart-v0"
IDS = [MOVABLE, "MiniGrid-MemoryS13-v0"]


def _walk(env_id: str, seed: int) -> Iterator[tuple[MemoryEnv, int]]:
    """A random walk that carries things about: the environment at each step, and its state in the graph."""
    graph = state_graph(env_id)
    env = cast(MemoryEnv, gymnasium.make(env_id, disable_env_checker=True).unwrapped)
    env.reset(seed=seed)
    things = env.grid.encode()[..., 0]
    pose = (int(env.agent_pos[0]), int(env.agent_pos[1]))
    things[pose] = 10
    state = next(start for start in graph.start if np.array_equal(graph.overview[start][..., 0], things))
    for action in np.random.default_rng(seed).choice(5, size=60, p=[0.2, 0.2, 0.3, 0.2, 0.1]):
        yield env, int(state)
        if env.step(int(action))[2]:
            return
        state = graph.next_state[state, action]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_frame_is_drawn_as_minigrid_draws_the_agents_view(env_id: str, seed: int) -> None:
    for env, _ in _walk(env_id, seed):
        drawn = render_frame(env.gen_obs()["image"], tile_size=8)
        assert np.array_equal(drawn, env.get_pov_render(tile_size=8))


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_state_is_drawn_as_minigrid_draws_the_world(env_id: str, seed: int) -> None:
    for env, state in _walk(env_id, seed):
        drawn = render_state(state_graph(env_id), state, tile_size=8)
        assert np.array_equal(drawn, env.get_full_render(highlight=True, tile_size=8))


def test_a_picture_has_16_pixels_to_a_cell() -> None:
    graph = state_graph(MOVABLE)
    assert render_frame(graph.frames[0]).shape == (112, 112, 3)
    assert render_state(graph, 0).shape == (112, 112, 3)


def test_a_carried_key_looks_unlike_a_carried_ball() -> None:
    frame = np.ones((7, 7, 3), dtype=np.uint8) * np.array([1, 0, 0], dtype=np.uint8)
    key, ball = frame.copy(), frame.copy()
    key[3, 6], ball[3, 6] = (5, 1, 0), (6, 1, 0)
    pictures = {render_frame(shown).tobytes() for shown in (frame, key, ball)}
    assert len(pictures) == 3


@pytest.mark.parametrize("state", [-1, 160])
def test_a_state_that_does_not_exist_is_named(state: int) -> None:
    static = "MiniGrid-MemoryS7FixedStartStatic-v0"
    with pytest.raises(ValueError, match=rf"no state {state} in {static}; its states are 0 to 159"):
        render_state(state_graph(static), state)


def test_a_png_decodes_to_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    kind, content = png_data_uri(picture).split(",")
    assert kind == "data:image/png;base64"
    decoded = Image.open(BytesIO(base64.b64decode(content)))
    assert decoded.format == "PNG"
    assert np.array_equal(np.asarray(decoded), picture)
