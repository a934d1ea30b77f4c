"""Swaps against the bare model, a certificate and a screening from end to end, and how the cost grows.

    python benchmarks/equivalence.py                          results/equivalence.json
    python benchmarks/equivalence.py --parts world            some parts; the others stay in the file as they are
    python benchmarks/equivalence.py --parts world --models memory-dt
    python benchmarks/equivalence.py --sizes 500 1000         other numbers of observations
    python benchmarks/equivalence.py --quick                  small, to see that it runs

All in processor time on one thread, with the shipped memory-dt-small-0 where nothing else is said. A swapped window
counts as one window, whatever part of it had to be computed; the bare rate is that of the same windows through the
model, as many at once.

`growth` is measured on observations of MiniGrid-PutNear-8x8-N3-v0, whose coloured objects lie everywhere, as a random
player sees them in the first 50 steps of its episodes, for the model knows no later times: it was never trained in that
world, but reads what is shown there like anything else. `other worlds` is the same with memory-door-dt, which knows
DoorKey-6x6 and MemoryS13Random and times up to 845: in DoorKey-8x8, and in the two random Memory worlds, which show
fewer than 300 observations in all. A screen is timed with all its controls, but for the exact return in a world whose
states are known: what that costs depends on the time limit and hardly on the observations.

`world` is `dtinterp screen --contexts world` on all 1,154 observations of the movable world, from folder to folder,
exact returns included, each model in a process of its own, so that the peak of its memory is its own.

`prefixes` is the logits at every history of 8 moves with prefixes shared, over the same histories' full windows, and
over windows cut to the steps that are there; windows are timed on every 16th history. `plays` is what
`dtinterp check-plays` does for the shipped classes, without reading and writing. `all actions` is the policy tree of
all seven, and what one more action would cost. `policy machines` is what `dtinterp extract-machine` does, bounds, tests
and controls included, without reading and writing. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import torch
from growth import DOOR_KEY, LARGE, RANDOM_MEMORY, Ground, elsewhere, growth, peak, timed, told

from dtinterp.commands.equivalence.screen import screen as screen_folder
from dtinterp.dataset.packing import last_slots
from dtinterp.dataset.windows import Windows
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.machines.extract import extract_machine
from dtinterp.equivalence.machines.report import MachineConfig
from dtinterp.equivalence.observations import certify, check_plays
from dtinterp.equivalence.plays.joint import CheckPlaysConfig
from dtinterp.equivalence.plays.policy_tree import PlaysConfig, model_asked, policy_tree
from dtinterp.equivalence.plays.worst_members import windows_at
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.screen import SCREENING, ScreenConfig
from dtinterp.equivalence.swaps.chosen_frames import most_visited
from dtinterp.equivalence.swaps.contexts import draw_contexts
from dtinterp.equivalence.swaps.trials import try_swaps
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.continuation import BATCH
from dtinterp.model.network.history_logits import history_logits
from dtinterp.model.network.prefix_tree import prefix_tree
from dtinterp.model.storage import load_model
from dtinterp.subject.subject import Subject, open_subject
from environments.graph.plays import count_histories
from environments.graph.state_graph import state_graph

MODELS = Path("checkpoints/models")
SMALL = "memory-dt-small-0"
DEMONSTRATIONS = Path("checkpoints/demonstrations/memory-movable")
AIMS = {
    "swaps over bare forward": 0.7,
    "certificate of 96, seconds": 60,
    "all observations of the movable world, seconds": 1800,
    "shared prefixes over full windows": 4,
    "all plays of 9 moves, seconds on two cores": {"memory-dt-small-0": 300, "memory-dt": 1800},
    "machines at 7 moves of memory-dt-small-0 and memory-dt, seconds": 120,
}
PARTS = (
    "swaps",
    "growth",
    "certificate",
    "world",
    "other worlds",
    "prefixes",
    "plays",
    "all actions",
    "policy machines",
)
PLAYED, TARGET = "MiniGrid-MemoryS7FixedStart-v0", 0.892
ALL_OF_THE_WORLD = ScreenConfig(contexts="world", n_probes=64, n_rounds=6, n_fresh=8)
"""As the screenings that ship were made."""


def main() -> None:
    """Measure, print, and write what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 600, 1200, 2500, 5000, 10_000])
    parser.add_argument("--steps", type=int, default=100_000, help="of the random player")
    parser.add_argument("--door-sizes", type=int, nargs="+", default=[625, 2500, 10_000], help="in other worlds")
    parser.add_argument("--models", nargs="+", default=[SMALL, "memory-dt"], help="whose world is screened")
    parser.add_argument("--horizon", type=int, default=9, help="moves of the plays that are checked")
    parser.add_argument("--draws", type=int, default=3, help="of members, in all of these plays")
    parser.add_argument("--all-actions", type=int, default=7, help="of any kind, in the plays that are followed")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("results/equivalence.json"))
    arguments = parser.parse_args()
    screening = ALL_OF_THE_WORLD
    if arguments.quick:
        arguments.sizes, arguments.steps, arguments.door_sizes = [100, 200], 20_000, [100, 200]
        arguments.horizon, arguments.draws, arguments.all_actions = 3, 1, 3
        arguments.models, screening = [SMALL], replace(screening, n_frames=100, n_probes=8, n_rounds=1, n_tours=2)
    torch.set_num_threads(1)
    subject = open_subject(MODELS / SMALL, DEMONSTRATIONS)
    large = Ground(LARGE, arguments.steps)
    grounds = [
        *(Ground(name, arguments.steps) for name in RANDOM_MEMORY),
        Ground(DOOR_KEY, 12 * arguments.steps, 16_384),
    ]
    parts: dict[str, Callable[[dict[str, object]], object]] = {
        "swaps": lambda _: swap_rates(subject, n_frames=32 if arguments.quick else 96),
        "growth": lambda _: growth(subject.model, subject.untrained, large, arguments.sizes),
        "certificate": lambda _: certificate_seconds(subject, n_frames=12 if arguments.quick else 96),
        "world": lambda before: before | {name: alone(world_seconds, name, screening) for name in arguments.models},
        "other worlds": lambda _: elsewhere(grounds, arguments.door_sizes),
        "prefixes": lambda _: {
            name: shared_prefixes(name, horizon=4 if arguments.quick else 8) for name in arguments.models
        },
        "plays": lambda before: (
            before | {name: alone(plays_seconds, name, arguments.horizon, arguments.draws) for name in arguments.models}
        ),
        "all actions": lambda before: (
            before | {name: alone(all_actions, name, arguments.all_actions) for name in arguments.models}
        ),
        "policy machines": lambda before: (
            before | {name: alone(machine_seconds, name, 3 if arguments.quick else 7) for name in arguments.models}
        ),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.exists() else {}
    result |= {"machine": _machine(), "torch": torch.__version__, "aims": AIMS}
    for name in arguments.parts:  # written after each, since the last ones take long
        result[name] = parts[name](result.get(name, {}))
        print(json.dumps({name: result[name]}, indent=1), flush=True)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def swap_rates(subject: Subject, n_frames: int) -> dict[str, float]:
    """Return swapped windows per second, and the same windows per second through the bare model, by turns."""
    chosen = most_visited(subject.trajectories, subject.split.held_out, n_frames)
    contexts = draw_contexts(
        subject.trajectories,
        subject.split.held_out,
        frame_id=chosen.frame_id,
        n_contexts=2,
        n_slots=10,
        generator=generator(0, "benchmark"),
    )
    n_windows = len(contexts) * n_frames
    swaps, bare = [], []
    for _ in range(3):
        swaps.append(timed(lambda: try_swaps(subject.model, contexts, items=subject.items, frame_id=chosen.frame_id)))
        swapped = contexts.windows[torch.arange(len(contexts)).repeat_interleave(n_frames)]
        bare.append(timed(lambda swapped=swapped: _forward(subject, swapped)))
    rates = {"swaps per second": n_windows / min(swaps), "bare windows per second": n_windows / min(bare)}
    return {"windows": n_windows, **rates, "ratio": min(bare) / min(swaps)}


def certificate_seconds(subject: Subject, n_frames: int) -> dict[str, float]:
    """Return what a certificate costs from end to end, with all its controls."""
    found = []
    seconds = timed(lambda: found.append(certify(subject, EquivalenceConfig(n_frames=n_frames))))
    return {"frames": n_frames, "swaps": found[0].n_swaps, "seconds": seconds}


def world_seconds(name: str, config: ScreenConfig) -> dict[str, object]:
    """Return what it costs this process to sort all observations of the movable world, and what comes of it."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        screen_folder(config, Path(folder) / "screening", model=MODELS / name, demonstrations=DEMONSTRATIONS)
        found = load(Path(folder) / "screening", SCREENING)
    cost = {"seconds": time.process_time(), "seconds by the clock": time.perf_counter() - began}
    return {**cost, **told(found), "peak MB": peak(), "screen": asdict(config)}


def shared_prefixes(name: str, horizon: int) -> dict[str, object]:
    """Return how much faster all histories of so many moves are with prefixes shared than window by window."""
    model, graph = load_model(MODELS / name).model, state_graph(PLAYED)
    tree, asked = PlaysConfig(horizon).tree(graph), model_asked(model, graph, TARGET)
    columns = (torch.tensor(each).long() for each in (tree.parent, tree.action, graph.frame_id[tree.state]))
    histories = prefix_tree(*columns)
    windows = windows_at(histories, torch.arange(0, len(tree), 16), asked)

    @torch.no_grad()
    def whole() -> None:
        for start in range(0, len(windows), BATCH):
            model(windows[start : start + BATCH], asked.items)

    @torch.no_grad()
    def cut() -> None:
        n_real = windows.mask.sum(1)
        for n_slots in n_real.unique().tolist():
            rows = last_slots(windows[n_real == n_slots], n_slots)
            for start in range(0, len(rows), BATCH):
                model(rows[start : start + BATCH], asked.items)

    history_logits(asked, prefix_tree(*(torch.tensor(each) for each in ([-1], [-1], [0]))))  # warm
    shared = timed(lambda: history_logits(asked, histories)) / len(tree)
    full, real = (timed(work) / len(windows) for work in (whole, cut))
    rates = {"shared": 1 / shared, "full windows": 1 / full, "cut windows": 1 / real}
    return {
        "histories": len(tree),
        "histories a second": rates,
        "over full windows": full / shared,
        "over cut windows": real / shared,
    }


def plays_seconds(name: str, horizon: int, n_draws: int) -> dict[str, object]:
    """Return what it costs this process to show the shipped classes as one in all plays, and what comes of it."""
    torch.set_num_threads(1)
    subject = open_subject(MODELS / name, DEMONSTRATIONS)
    report = load(Path("checkpoints/studies") / name / "equivalence", EQUIVALENCE)
    began, seconds = time.perf_counter(), time.process_time()
    found = check_plays(subject, report, CheckPlaysConfig(horizon, n_draws=n_draws))
    cost = {"seconds": time.process_time() - seconds, "seconds by the clock": time.perf_counter() - began}
    moved = {
        f"{arm.partition}, {arm.shown}": {
            "classes": arm.n_classes,
            "beyond": arm.beyond,
            "agreement": arm.agreement,
            "largest": max(shift.maximum for shift in arm.shifts),
        }
        for arm in found.arms
        if arm.shifts
    }
    n_passes = 1 + sum(len(arm.shifts) for arm in found.arms)
    return {**cost, "histories": found.n_histories, "passes": n_passes, "peak MB": peak(), **moved}


def all_actions(name: str, horizon: int) -> dict[str, object]:
    """Return what it costs this process to follow all plays of all seven actions, and how many one more would be."""
    torch.set_num_threads(1)
    model, graph = load_model(MODELS / name).model, state_graph(PLAYED)
    began, seconds = time.perf_counter(), time.process_time()
    found = policy_tree(model, graph, PlaysConfig(horizon, "all"))
    cost = {"seconds": time.process_time() - seconds, "seconds by the clock": time.perf_counter() - began}
    ahead = [n for _, n in zip(range(horizon + 2), count_histories(graph, range(graph.n_actions)), strict=False)]
    return {**cost, "horizon": horizon, "histories": len(found), "one more": sum(ahead), "peak MB": peak()}


def machine_seconds(name: str, horizon: int) -> dict[str, object]:
    """Return what it costs this process to learn, bound and test a model's machine, controls included."""
    torch.set_num_threads(1)
    subject = open_subject(MODELS / name, DEMONSTRATIONS)
    began, seconds = time.perf_counter(), time.process_time()
    found = extract_machine(subject, MachineConfig(horizon=horizon))
    cost = {"seconds": time.process_time() - seconds, "seconds by the clock": time.perf_counter() - began}
    size = {"horizon": horizon, "histories": found.tests[0].decisions.n, "states": [found.at_least, found.n_states]}
    return {**cost, **size, "peak MB": peak()}


def alone(work: Callable[..., dict[str, object]], *arguments: object) -> dict[str, object]:
    """Return what `work` finds in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _machine() -> dict[str, object]:
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": 1}


def _forward(subject: Subject, windows: Windows) -> None:
    for start in range(0, len(windows), BATCH):
        subject.model(windows[start : start + BATCH], subject.items)


if __name__ == "__main__":
    main()
