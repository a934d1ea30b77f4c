"""Rows of activations a second beside the bare forward pass on the same windows, in one run on one machine.

    python benchmarks/harvest.py                               results/harvest.json
    python benchmarks/harvest.py --threads 1 --clock cpu       in processor time: a busy machine
    python benchmarks/harvest.py --device cuda                 the same on a GPU

The model has the shape of memory-dt. The forward pass and the harvest of each site take turns; a rate is the median
after a first turn. The sites are those of the stream; inside the middle block an attention's heads, patterns and what
each head writes, and the neurons of an MLP; inside the last block two of these; and the last norm. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from dtinterp.activations.harvest import BATCH, harvest
from dtinterp.activations.sites import stream_sites
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer
from environments.vocabulary import one_hot

SHAPE = ModelConfig(d_model=256, n_layers=3, n_heads=8)
"""That of memory-dt."""
WINDOWS = 1024
AIM = 0.8
"""Share of the bare forward pass's speed that the harvest of one site is meant to keep."""
INSIDE = (
    *("blocks.1.attn.hook_z", "blocks.1.attn.hook_pattern", "blocks.1.attn.hook_result", "blocks.1.mlp.hook_post"),
    *("blocks.2.attn.hook_z", "blocks.2.mlp.hook_post", "ln_final.hook_normalized"),
)
"""Sites inside a block, and behind the last one, which is else computed at observation tokens only."""
FORWARD = "forward"


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demonstrations", type=Path, default=Path("checkpoints/demonstrations/memory-movable"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu wants --threads 1")
    parser.add_argument("--turns", type=int, default=5, help="harvests of each site that are counted")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("results/harvest.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    windows, items = _ground(arguments)
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    seconds = _seconds(windows, items, clock, arguments.turns)
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "threads": arguments.threads},
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
        "versions": {name: version(name) for name in ("torch", "transformer-lens")},
        "clock": arguments.clock,
        "windows_per_second": WINDOWS / seconds[FORWARD],
        "share": {site: seconds[FORWARD] / each for site, each in seconds.items() if site != FORWARD},
    }
    _print(result["windows_per_second"], result["share"])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _ground(arguments: argparse.Namespace) -> tuple[Windows, Tensor]:
    trajectories, _ = load_trajectories(arguments.demonstrations)
    chosen = torch.randint(trajectories.n_steps, (WINDOWS,), generator=generator(0, "benchmark"))
    return window(trajectories, chosen), one_hot(trajectories.frames).to(arguments.device)


def _seconds(windows: Windows, items: Tensor, clock: Callable[[], float], turns: int) -> dict[str, float]:
    """Return the median seconds of a bare forward pass over all windows, and of a harvest of each site."""
    model = DecisionTransformer(SHAPE, generator(0, "benchmark")).to(items.device).eval()

    @torch.no_grad()
    def forward() -> None:
        for start in range(0, len(windows), BATCH):
            model(windows[start : start + BATCH].to(items.device), items).cpu()

    calls: dict[str, Callable[[], object]] = {FORWARD: forward}
    calls |= {site: lambda site=site: harvest(model, windows, items, site) for site in (*stream_sites(model), *INSIDE)}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(1 + turns):
        for name, call in calls.items():
            begin = clock()
            call()
            seconds[name].append(clock() - begin)
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def _print(windows_per_second: float, share: dict[str, float]) -> None:
    print(f"The bare forward pass makes {windows_per_second:,.0f} windows/s; a harvest reaches of that:")
    print("\n| site | share |\n|---|---:|")
    for site, part in share.items():
        print(f"| {site} | {part:.0%} |")
    print(f"\nThe aim is {AIM:.0%} for one site.")


if __name__ == "__main__":
    main()
