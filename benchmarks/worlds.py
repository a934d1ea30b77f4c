"""The batched twin beside MiniGrid, in one run on one machine: steps per second, memory, and the cost of a state graph.

    python benchmarks/worlds.py                     the whole table, and benchmarks/results/worlds.json
    python benchmarks/worlds.py --quick             batches up to 4,096
    python benchmarks/worlds.py --device cuda       the twin on a CUDA device, MiniGrid beside it on the processor

Steps are random actions; every step makes the observation, and episodes start over by themselves, in MiniGrid as in the
twin. A figure is the median over repeats. Memory is told twice: what the state of a world takes between steps, and what
the largest moment of a step takes with its observation. Nothing is asserted.
"""

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import gymnasium
import minigrid
import numpy as np
import torch

import environments
from environments.graph.enumeration import enumerate_states
from environments.graph.starts import exhaustive_layouts
from environments.graph.state_graph import graph_of
from environments.grid.observation import observe
from environments.registration import make
from environments.twin.episodes import BatchedEpisodes
from environments.twin.layouts import Layouts, draw_layouts
from tests.environments.stepping import explore

WORLDS = {"MiniGrid-MemoryS7-v0": 200, "MiniGrid-DoorKey-8x8-v0": 100}
"""Ids with the factor over MiniGrid that is aimed at, at batch 4,096."""

BATCHES = (1, 2, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
AIMED_BATCH = 4096
N_LAYOUTS = 256
GRAPHS = {"MiniGrid-MemoryS7FixedStart-v0": 10, "MiniGrid-MemoryS13Random-v0": 60}
"""Ids with the seconds that their graphs may take."""

MEASURED_WORLDS = 65536
"""Worlds whose memory is measured, beside twice as many; the difference is theirs alone."""

RESULTS = Path(__file__).parent / "results" / "worlds.json"

N_ACTIONS = 7
SECONDS_PER_REPEAT = 0.3


@dataclass(frozen=True)
class Rate:
    """Steps per second of one contender."""

    env_id: str
    contender: str
    batch: int
    steps_per_second: float
    slowest: float
    fastest: float


@dataclass(frozen=True)
class Memory:
    """Bytes per world of the twin."""

    env_id: str
    state_bytes: float
    """What the state takes between steps."""
    peak_bytes: float
    """What the largest moment of a step takes, its observation included: see `_peak_bytes`."""


def main() -> None:
    """Measure, print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where the twin runs")
    parser.add_argument("--threads", type=int, default=1, help="threads of the twin; several want idle cores")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help=f"no batch above {AIMED_BATCH}, no graph by MiniGrid")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    batches = [batch for batch in BATCHES if batch <= AIMED_BATCH or not arguments.quick]
    rates = [
        rate
        for env_id in WORLDS
        for rate in _rates(env_id, batches, device=arguments.device, n_repeats=arguments.repeats)
    ]
    memories = [_memory(env_id, arguments.device) for env_id in WORLDS]
    graphs = [_graph_seconds(env_id, by_minigrid=not arguments.quick) for env_id in GRAPHS]
    _print_rates(rates)
    _print_memory(memories)
    _print_graphs(graphs)
    _write(arguments, rates=rates, memories=memories, graphs=graphs)


def _rates(env_id: str, batches: list[int], *, device: str, n_repeats: int) -> list[Rate]:
    """Measure MiniGrid, then the twin at each batch size, then MiniGrid again, so that a busy machine shows."""
    layouts = draw_layouts(env_id, range(N_LAYOUTS))
    rates = [_minigrid_rate(env_id, n_repeats)]
    rates += [_twin_rate(layouts, batch, device=device, n_repeats=n_repeats) for batch in batches]
    return [*rates, _minigrid_rate(env_id, n_repeats)]


def _minigrid_rate(env_id: str, n_repeats: int) -> Rate:
    env, rng = make(env_id), np.random.default_rng(0)
    env.reset(seed=0)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(int(rng.integers(N_ACTIONS)))
        if terminated or truncated:
            env.reset()

    return _rate(env_id, "MiniGrid", 1, step, n_repeats=n_repeats)


def _twin_rate(layouts: Layouts, batch: int, *, device: str, n_repeats: int) -> Rate:
    episodes = BatchedEpisodes(layouts, batch, generator=torch.Generator().manual_seed(0), device=device)
    generator = torch.Generator().manual_seed(1)
    actions = [torch.randint(N_ACTIONS, (batch,), generator=generator).to(device) for _ in range(16)]
    turn = iter(range(10**9))

    def step() -> None:
        episodes.step(actions[next(turn) % len(actions)])
        observe(episodes.state, layouts.spec)

    return _rate(layouts.spec.env_id, f"twin on {device}", batch, step, n_repeats=n_repeats)


def _rate(env_id: str, contender: str, batch: int, step: Callable[[], None], *, n_repeats: int) -> Rate:
    for _ in range(3):
        step()
    measured = [_one_repeat(step, batch) for _ in range(n_repeats)]
    return Rate(env_id, contender, batch, statistics.median(measured), min(measured), max(measured))


def _one_repeat(step: Callable[[], None], batch: int) -> float:
    n_calls, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS_PER_REPEAT or n_calls < 2:
        step()
        n_calls += 1
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return n_calls * batch / (time.perf_counter() - begin)


def _memory(env_id: str, device: str) -> Memory:
    state = draw_layouts(env_id, [0]).start
    held = sum(getattr(state, field.name).nbytes for field in fields(state))
    return Memory(env_id, held, _peak_bytes(env_id, device))


def _peak_bytes(env_id: str, device: str) -> float:
    """Return how much higher memory rises with twice as many worlds, divided by their number.

    Each number of worlds gets a process of its own, since a process forgets nothing of the most that it ever took; and
    the difference leaves out what does not depend on the number of worlds.
    """
    peaks = []
    for n_worlds in (MEASURED_WORLDS, 2 * MEASURED_WORLDS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            peaks.append(process.submit(_most_bytes, env_id, n_worlds, device).result())
    return (peaks[1] - peaks[0]) / MEASURED_WORLDS


def _most_bytes(env_id: str, n_worlds: int, device: str) -> int:
    """Take a few steps with their observations, and return the most memory that this process, or its device, held."""
    torch.set_num_threads(1)
    layouts = draw_layouts(env_id, range(N_LAYOUTS))
    episodes = BatchedEpisodes(layouts, n_worlds, generator=torch.Generator().manual_seed(0), device=device)
    for action in range(3):
        episodes.step(torch.full((n_worlds,), action, device=device))
        observe(episodes.state, layouts.spec)
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _graph_seconds(env_id: str, *, by_minigrid: bool) -> dict[str, str | float | int]:
    begin = time.perf_counter()
    graph = graph_of(enumerate_states(exhaustive_layouts(env_id)))
    twin = time.perf_counter() - begin
    begin = time.perf_counter()
    if by_minigrid:
        explore(gymnasium.make(env_id, disable_env_checker=True).unwrapped)  # pyright: ignore[reportArgumentType]
    stepped = time.perf_counter() - begin if by_minigrid else float("nan")
    sizes: dict[str, str | float | int] = {"env_id": env_id, "states": graph.n_states, "frames": len(graph.frames)}
    return {**sizes, "twin_seconds": twin, "minigrid_seconds": stepped, "aim_seconds": GRAPHS[env_id]}


def _print_rates(rates: list[Rate]) -> None:
    print("| world | contender | batch | steps/s (median) | slowest to fastest | times MiniGrid |")
    print("|---|---|---:|---:|---:|---:|")
    for rate in rates:
        beside = _minigrid_median(rates, rate.env_id)
        print(
            f"| {rate.env_id} | {rate.contender} | {rate.batch:,} | {rate.steps_per_second:,.0f} | "
            f"{rate.slowest:,.0f} to {rate.fastest:,.0f} | {rate.steps_per_second / beside:,.2f} |"
        )
    for env_id, aim in WORLDS.items():
        twin = [rate for rate in rates if rate.env_id == env_id and rate.contender != "MiniGrid"]
        beside = _minigrid_median(rates, env_id)
        overtakes = next((rate.batch for rate in twin if rate.steps_per_second > beside), None)
        best = max(twin, key=lambda rate: rate.steps_per_second)
        at_aim = next(rate for rate in twin if rate.batch == AIMED_BATCH)
        print(
            f"\n{env_id}: the twin overtakes MiniGrid at batch {overtakes}, is fastest at {best.batch:,}, and at "
            f"{AIMED_BATCH:,} makes {at_aim.steps_per_second / beside:,.0f} times its steps (aim: {aim})."
        )


def _minigrid_median(rates: list[Rate], env_id: str) -> float:
    """Return the rate of MiniGrid, the mean of what was measured before the twin and after it."""
    return statistics.mean(
        rate.steps_per_second for rate in rates if rate.env_id == env_id and rate.contender == "MiniGrid"
    )


def _print_memory(memories: list[Memory]) -> None:
    print("\n| world | bytes per world between steps | bytes per world at the peak of a step |")
    print("|---|---:|---:|")
    for memory in memories:
        print(f"| {memory.env_id} | {memory.state_bytes:,.0f} | {memory.peak_bytes:,.0f} |")


def _print_graphs(graphs: list[dict[str, str | float | int]]) -> None:
    print("\n| world | states | frames | seconds by the twin | seconds by MiniGrid | aim |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in graphs:
        print(
            f"| {row['env_id']} | {row['states']:,} | {row['frames']:,} | {row['twin_seconds']:.2f} | "
            f"{row['minigrid_seconds']:.2f} | {row['aim_seconds']} |"
        )


def _write(
    arguments: argparse.Namespace,
    *,
    rates: list[Rate],
    memories: list[Memory],
    graphs: list[dict[str, str | float | int]],
) -> None:
    content = {
        "machine": {"processor": platform.processor() or platform.machine(), "threads": arguments.threads},
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
        "versions": {"minigrid": minigrid.__version__, "torch": torch.__version__, "gymnasium": gymnasium.__version__},
        "package": environments.__name__,
        "rates": [vars(rate) for rate in rates],
        "memory": [vars(memory) for memory in memories],
        "graphs": graphs,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
