"""Our decision transformer beside TransformerLens's and PyTorch's own, in one run on one machine: tokens per second.

    PYTHONPATH=.lens python benchmarks/model.py             all contenders (make lens fills .lens), results/model.json
    python benchmarks/model.py --quick                         fewer steps, without TransformerLens 3.9
    python benchmarks/model.py --threads 1 --clock cpu         in processor time: a busy machine

All have the shape of memory-dt and learn from the same demonstrations, 256 windows of 29 tokens a step, with AdamW and
clipped gradients. The contenders take their steps in turn; a rate is the median over the steps after the first ones.
Ours is measured inside `train_model`, with all that it does; the others, and ours on whole windows, get their windows
ready-made. The others are fed our embeddings and see pads. Tokens are those of the windows, also where ours need not
compute them: windows that repeat, and pads. Utilisation counts what is computed. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dtinterp.dataset.packing import Pack, pack
from dtinterp.dataset.split import Split, split
from dtinterp.dataset.windows import Windows, window
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.jobs.resume import Training
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig, Precision, TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.training.descent import Descent, optimizer_of
from dtinterp.model.training.train import ModelRecord, train_model
from dtinterp.model.validation import Validation, action_loss
from environments.vocabulary import one_hot

SHAPE = ModelConfig(d_model=256, n_layers=3, n_heads=8)
"""That of memory-dt."""
WINDOWS, SQUARE = 256, 2048  # of a batch; side of a large matrix
TRAINED, WHOLE, BARE, LENS = "dtinterp", "dtinterp, whole windows", "nn.TransformerEncoder", "TransformerLens"
COMPILED = "dtinterp, compiled"
AIMS = {LENS: 2.0, BARE: 0.95}  # times the rates of these that ours is meant to make
AIMED_UTILISATION, AIMED_INPUT = 0.5, 0.03
SETTLED = 3  # steps that are not counted, while memory and caches fill
Step = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """What all contenders share."""

    trajectories: Trajectories
    split: Split
    items: Tensor
    precision: Precision
    steps: int
    is_compiled: bool
    """whether ours takes part compiled as well"""
    now: Callable[[], float]

    @property
    def config(self) -> TrainConfig:
        """The training of memory-dt, cut to a few steps; a model is kept after each, so that each can be timed."""
        return TrainConfig(
            model=SHAPE,
            steps=self.steps,
            batch_size=WINDOWS,
            learning_rate=1.5e-3,
            precision=self.precision,
            validate_every=10**6,
            n_checkpoints=100 * self.steps,
        )

    def windows(self, n: int, draw: int = 0) -> Windows:
        """Return training windows, the same for every call with this draw."""
        chosen = torch.randint(len(self.split.train), (n,), generator=generator(draw, "benchmark"))
        return window(self.trajectories, self.split.train[chosen])


@dataclass
class Turns:
    """Lets the others take a step after each of ours, and keeps the seconds of all."""

    others: dict[str, Step]
    now: Callable[[], float]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    _begin: float = 0.0

    def keep_step(self, model: DecisionTransformer, step: int) -> None:  # noqa: ARG002
        """End our step, let the others go, and begin our next one."""
        if step > 1:
            self.seconds.setdefault(TRAINED, []).append(self.now() - self._begin)
        for name, take in self.others.items():
            self.seconds.setdefault(name, []).append(_timed(take, self.now))
        self._begin = self.now()

    def keep_best(self, model: DecisionTransformer, step: int, measured: Validation) -> None:
        """Keep nothing."""


class Fed(nn.Module):
    """Another's transformer between our embeddings and our unembedding."""

    def __init__(self, body: nn.Module, through: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.ours = DecisionTransformer(SHAPE, generator(0, "benchmark"))
        self.ours.blocks = nn.ModuleList()
        self.body, self.through = body, through

    def forward(self, windows: Windows, items: Tensor) -> Tensor:
        """Return the logits of each slot."""
        return self.through(self.body, self.ours._embed(windows, items))[:, SHAPE.observation_tokens]


def main() -> None:
    """Measure, print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demonstrations", type=Path, default=Path("checkpoints/demonstrations/memory-movable"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu wants --threads 1")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--quick", action="store_true", help="8 steps")
    parser.add_argument("--precision", nargs="+", choices=("float32", "bfloat16"), default=("float32", "bfloat16"))
    parser.add_argument("--compile", action="store_true", help="ours compiled as well; wants a C++ compiler")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=Path("results/model.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "threads": arguments.threads},
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
        "versions": {name: version(name) for name in ("torch", "transformer-lens")},
        "clock": arguments.clock,
    }
    for precision in arguments.precision:
        setting = _setting(arguments, precision)
        result[precision] = _training(setting)
        _print(precision, result[precision])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _setting(arguments: argparse.Namespace, precision: Precision) -> Setting:
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    is_cuda = arguments.device.startswith("cuda")

    def now() -> float:
        if is_cuda:
            torch.cuda.synchronize()
        return clock()

    trajectories, _ = load_trajectories(arguments.demonstrations)
    sides = split(trajectories, share=0.1, generator=generator(0, "model/split"))
    items = one_hot(trajectories.frames).to(arguments.device)
    steps = 8 if arguments.quick else arguments.steps
    return Setting(trajectories, sides, items, precision, steps, arguments.compile, now)


def _training(setting: Setting) -> dict[str, Any]:
    """Return the seconds of a step of each contender, and what ours does with its time."""
    windows = setting.windows(WINDOWS)
    others = {name: _step(setting, model, windows) for name, model in _contenders(setting)}
    others |= {COMPILED: _compiled_step(setting)} if setting.is_compiled else {}
    turns = Turns(others, setting.now)
    train_model(
        setting.trajectories, setting.split, setting.config, items=setting.items, record=ModelRecord(keeper=turns)
    )
    seconds = {name: statistics.median(each[SETTLED:]) for name, each in turns.seconds.items()}
    rate = _matrix_rate(setting)
    needed = statistics.mean(_flops(pack(setting.windows(WINDOWS, draw))) for draw in range(setting.steps))
    whole = _flops([Pack(windows, torch.ones(WINDOWS))])
    return {
        "tokens_per_second": {name: WINDOWS * SHAPE.n_ctx / each for name, each in seconds.items()},
        "slowest_and_fastest_ms": {
            name: [1e3 * max(each[SETTLED:]), 1e3 * min(each[SETTLED:])] for name, each in turns.seconds.items()
        },
        "matrix_gflops": rate / 1e9,
        "gflop_a_step": {TRAINED: needed / 1e9, WHOLE: whole / 1e9},
        "utilisation": {TRAINED: needed / seconds[TRAINED] / rate, WHOLE: whole / seconds[WHOLE] / rate},
        "input_share": _median(lambda: pack(setting.windows(WINDOWS)), setting.now) / seconds[TRAINED],
    }


def _contenders(setting: Setting) -> Iterator[tuple[str, nn.Module]]:
    """Yield whoever is fed ready-made windows; TransformerLens where it is one that still has a transformer."""
    yield WHOLE, DecisionTransformer(SHAPE, generator(0, "benchmark"))
    part = {"dim_feedforward": SHAPE.d_mlp, "dropout": 0.0, "activation": "gelu"}
    layer = nn.TransformerEncoderLayer(SHAPE.d_model, SHAPE.n_heads, **part, batch_first=True, norm_first=True)
    causal = nn.Transformer.generate_square_subsequent_mask(SHAPE.n_ctx, device=setting.items.device)
    encoder = nn.TransformerEncoder(layer, SHAPE.n_layers, nn.LayerNorm(SHAPE.d_model), enable_nested_tensor=False)
    head = nn.Linear(SHAPE.d_model, SHAPE.n_actions)
    yield BARE, Fed(nn.Sequential(encoder, head), lambda _, x: head(encoder(x, mask=causal, is_causal=True)))
    if int(version("transformer-lens").split(".")[0]) < 4:
        names = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx", "act_fn", "normalization_type")
        shape = {name: getattr(SHAPE, name) for name in names}
        device = str(setting.items.device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = import_module("transformer_lens").HookedTransformer(
                {**shape, "d_vocab": SHAPE.n_actions, "device": device}
            )
        yield LENS, Fed(theirs, lambda body, x: body(x, start_at_layer=0))


def _compiled_step(setting: Setting) -> Step:
    """Return a step of `train_model` with its model compiled: drawn, packed and descended, as its own are."""
    config = replace(setting.config, compile=True)
    model = DecisionTransformer(SHAPE, generator(0, "benchmark")).to(setting.items.device)
    descent = Descent.begin(Training(model, optimizer_of(model, config), {}), setting.items, config)
    number = count()
    return lambda: descent.step(setting.windows(WINDOWS, draw := next(number)), draw)


def _step(setting: Setting, model: nn.Module, windows: Windows) -> Step:
    """Return a step of gradient descent as `train_model` takes it, on the same windows each time."""
    model, windows = model.to(setting.items.device).train(), windows.to(setting.items.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def take() -> None:
        with torch.autocast(setting.items.device.type, torch.bfloat16, enabled=setting.precision == "bfloat16"):
            logits = model(windows, setting.items)
        loss = action_loss(logits, windows)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    return take


def _flops(packs: Sequence[Pack]) -> float:
    """Return the operations of the matrix products in a step of ours: forward once, backward twice.

    The last block computes keys and values at all tokens and the rest at observations; the frame table takes no
    gradient. Attention is counted whole, as if nothing were masked.
    """
    width, total = SHAPE.d_model, 0.0
    for part in packs:
        n, slots = len(part.windows), part.windows.n_slots
        tokens = SHAPE.tokens_per_slot * slots - 1
        for queries in [tokens] * (SHAPE.n_layers - 1) + [slots]:
            keys_and_values, attention = 2 * tokens * width * width, 2 * queries * tokens * width
            total += 6 * n * (keys_and_values + attention + 2 * queries * width * (width + SHAPE.d_mlp))
        shown = len(part.windows.frame_id.unique())
        total += 4 * shown * SHAPE.n_items * width + 6 * n * slots * width * SHAPE.n_actions
    return total


def _matrix_rate(setting: Setting) -> float:
    """Return the operations a second of matrix products alone: a linear layer's with gradients, or a square one's."""
    dtype, device, width = getattr(torch, setting.precision), setting.items.device, SHAPE.d_model
    rows = torch.randn(WINDOWS * SHAPE.n_ctx // 2, width, dtype=dtype, device=device)
    weight, square = (torch.randn(size, size, dtype=dtype, device=device) for size in (width, SQUARE))
    products: list[Step] = [lambda: rows @ weight, lambda: rows @ weight.T, lambda: rows.T @ rows]
    layer = len(products) * 2 * rows.numel() * width / sum(_median(product, setting.now) for product in products)
    return max(layer, 2 * SQUARE**3 / _median(lambda: square @ square, setting.now))


def _timed(call: Step, now: Callable[[], float]) -> float:
    begin = now()
    call()
    return now() - begin


def _median(call: Step, now: Callable[[], float]) -> float:
    """Return the median seconds of a call, after a first one."""
    call()
    return statistics.median(_timed(call, now) for _ in range(15))


def _print(precision: str, result: dict[str, Any]) -> None:
    print(f"\n{precision}: matrix products alone run at {result['matrix_gflops']:,.0f} GFLOP/s.\n")
    print("| contender | tokens/s (median) | ms a step, slowest to fastest | ours is faster by | aim | utilisation |")
    print("|---|---:|---:|---:|---:|---:|")
    rates = result["tokens_per_second"]
    for name, rate in rates.items():
        slowest, fastest = result["slowest_and_fastest_ms"][name]
        utilisation = f"{result['utilisation'][name]:.0%}" if name in result["utilisation"] else ""
        print(
            f"| {name} | {rate:,.0f} | {slowest:.0f} to {fastest:.0f} | {rates[TRAINED] / rate:.2f} "
            f"| {AIMS.get(name, '')} | {utilisation} |"
        )
    print(
        f"\nThe input takes {result['input_share']:.1%} of a step (aim: under {AIMED_INPUT:.0%}); the aim for "
        f"utilisation is {AIMED_UTILISATION:.0%}."
    )


if __name__ == "__main__":
    main()
