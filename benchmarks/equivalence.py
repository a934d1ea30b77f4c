"""Swaps against the bare model, a certificate from end to end, and how the cost grows with the observations.

    python benchmarks/equivalence.py                     results/equivalence.json
    python benchmarks/equivalence.py --sizes 500 1000    other numbers of observations
    python benchmarks/equivalence.py --quick             small, to see that it runs

All in processor time on one thread, with the shipped memory-dt-small-0. A swapped window counts as one window,
whatever part of it had to be computed; the bare rate is that of the same windows through the model, as many at once.
The growth is measured on observations of MiniGrid-PutNear-8x8-N3-v0, whose coloured objects lie everywhere, as a random
player sees them in the first 50 steps of its episodes, for the model knows no later times: it was never trained in that
world, but reads what is shown there like anything else. A screen is timed with all its controls. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from dtinterp.agents.policy import Decision, Observation
from dtinterp.commands.certify import certify_in
from dtinterp.commands.subject import Subject, load_subject
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.collect import Share, collect
from dtinterp.demonstrations.samplers import Temperature
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certify import EquivalenceConfig
from dtinterp.equivalence.contexts import draw_contexts
from dtinterp.equivalence.frames import most_visited
from dtinterp.equivalence.screen import ScreenConfig, Screening, screen
from dtinterp.equivalence.scrutiny import Bench
from dtinterp.equivalence.trials import try_swaps
from dtinterp.foundation.seeding import generator
from dtinterp.model.continuation import BATCH
from environments.making import make_worlds
from environments.vocabulary import one_hot

MODEL = Path("checkpoints/models/memory-dt-small-0")
DEMONSTRATIONS = Path("checkpoints/demonstrations/memory-movable")
LARGE = "MiniGrid-PutNear-8x8-N3-v0"
KNOWN_TIMES = 50
"""Steps of an episode that the model can place."""
AIMS = {"swaps over bare forward": 0.7, "certificate of 96, seconds": 60}


class Indifferent:
    """A player that likes all actions alike and remembers nothing."""

    def start(self, n_worlds: int) -> None:
        """Remember nothing of so many worlds."""
        del n_worlds

    def act(self, observation: Observation, memory: None) -> Decision[None]:
        """Like all actions alike."""
        return Decision(torch.zeros(len(observation.frame_id), 7), memory)


def main() -> None:
    """Measure, print, and write what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 600, 1200, 2500, 5000, 10_000])
    parser.add_argument("--steps", type=int, default=100_000, help="of the random player")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("results/equivalence.json"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.steps = [100, 200], 20_000
    torch.set_num_threads(1)
    subject = load_subject(MODEL, DEMONSTRATIONS)
    result: dict[str, object] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": 1},
        "torch": torch.__version__,
        "aims": AIMS,
    }
    parts: dict[str, Callable[[], object]] = {
        "swaps": lambda: swap_rates(subject, n_frames=32 if arguments.quick else 96),
        "growth": lambda: growth(subject, arguments.sizes, arguments.steps),
        "certificate": lambda: certificate_seconds(subject, n_frames=12 if arguments.quick else 96),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    for name, measure in parts.items():  # written after each, since the last ones take long
        result[name] = measure()
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
        swaps.append(_timed(lambda: try_swaps(subject.model, contexts, items=subject.items, frame_id=chosen.frame_id)))
        swapped = contexts.windows[torch.arange(len(contexts)).repeat_interleave(n_frames)]
        bare.append(_timed(lambda swapped=swapped: _forward(subject, swapped)))
    rates = {"swaps per second": n_windows / min(swaps), "bare windows per second": n_windows / min(bare)}
    return {"windows": n_windows, **rates, "ratio": min(bare) / min(swaps)}


def certificate_seconds(subject: Subject, n_frames: int) -> dict[str, float]:
    """Return what a certificate costs from end to end, with all its controls."""
    found = []
    seconds = _timed(lambda: found.append(certify_in(subject, EquivalenceConfig(n_frames=n_frames))))
    return {"frames": n_frames, "swaps": found[0].n_swaps, "seconds": seconds}


def growth(subject: Subject, sizes: list[int], n_steps: int) -> dict[str, object]:
    """Return what sorting so many observations costs, and the exponent of a power law through it."""
    trajectories = wanderings(n_steps)
    items = one_hot(trajectories.frames)
    bench = Bench(subject.model, subject.untrained, trajectories, torch.arange(trajectories.n_steps), items)
    rows = []
    for size in sizes:
        found: list[Screening] = []
        config = ScreenConfig(n_frames=size)

        def run(config: ScreenConfig = config, found: list[Screening] = found) -> None:
            found.append(screen(bench, config))

        seconds = _timed(run)
        each = found[0]
        rows.append(
            {
                "frames": len(each.chosen.frame_id),
                "seconds": seconds,
                "classes": each.partition.n_classes,
                "pairs": each.n_pairs,
                "looked at": each.n_looked_at,
                "close": each.n_close,
                "rounds": [asdict(one) for one in each.rounds],
                "failures": None if each.failures is None else asdict(each.failures),
                "peak MB so far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        print(rows[-1], flush=True)
    exponent = np.polyfit(np.log([row["frames"] for row in rows]), np.log([row["seconds"] for row in rows]), 1)[0]
    return {"world": LARGE, "steps": n_steps, "distinct": len(trajectories.frames), "rows": rows, "exponent": exponent}


def wanderings(n_steps: int) -> Trajectories:
    """Return what a random player is shown in the large world."""
    worlds = make_worlds(LARGE, 64, generator=generator(0, "worlds"))
    whole = collect(Indifferent(), worlds, [Share(Temperature(1.0), n_steps)], generator(0, "collect"))
    early = whole.time < KNOWN_TIMES
    columns = {name: getattr(whole, name)[early] for name in ("frame_id", "action", "reward", "fact_id")}
    shown, frame_id = columns.pop("frame_id").unique(return_inverse=True)
    length = whole.length.clamp(max=KNOWN_TIMES)
    return replace(whole, frames=whole.frames[shown.long()], frame_id=frame_id.int(), length=length, **columns)


def _forward(subject: Subject, windows: Windows) -> None:
    for start in range(0, len(windows), BATCH):
        subject.model(windows[start : start + BATCH], subject.items)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
