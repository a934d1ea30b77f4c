"""Autoencoders as a stack, alone, and by SAELens's trainer, in one run on one machine: rows per second and what limits.

    python benchmarks/dictionaries.py                                    ours, and results/dictionaries.json
    python benchmarks/dictionaries.py --saelens PYTHON                   SAELens beside it, by its own interpreter
    python benchmarks/dictionaries.py --quick                            fewer steps
    python benchmarks/dictionaries.py --threads 1 --clock cpu            in processor time: a busy machine
    python benchmarks/dictionaries.py --narrow                           small dictionaries alone; the rest is kept

All learn TopK dictionaries of 1,024 features from the same planted rows of length 256, on as many threads, in float32,
with the same batch. A rate is the median over steps after the first ones, start-up left out, in rows times
dictionaries per second. Runs alone are measured on a few of the sixteen and taken for all. SAELens runs with dense
activations, since its option of sparse ones stops with an error on the processor under torch 2.13. Small dictionaries
of few rows are fitted as a stack and one after the other. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from dtinterp.dictionary.batched.sparse import select
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.evaluation.card import row_card
from dtinterp.dictionary.fit import fit_stack
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.rows.distinct import distinct_rows

D_MODEL, WIDTH, K, MEMBERS = 256, 1024, 32, 16
N_ROWS, N_DISTINCT = 65_536, 200
AIMS = {"stack": 2.0, "alone": 1.2}
"""Times the rate of SAELens that are aimed at."""
NARROW = {"rows": 357, "d_model": 128, "width": 128, "k": 8, "members": MEMBERS, "steps": 60}
"""Small dictionaries: their steps are mostly overhead."""
CARD_ROWS, CARD_SECONDS = 100_000, 30
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SETTLED = 3
"""Steps that are not counted, while memory and caches fill."""

SAELENS = """
import json, statistics, sys, time
import torch
from safetensors.torch import load_file
from sae_lens import __version__
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer
file, clock, threads, batch, steps, width, k = *sys.argv[1:3], *map(int, sys.argv[3:])
now = time.process_time if clock == "cpu" else time.perf_counter
torch.set_num_threads(threads)
rows = load_file(file)["rows"]
torch.manual_seed(0)
config = TopKTrainingSAEConfig(d_in=rows.shape[1], d_sae=width, k=k)
samples = {"total_training_samples": batch * steps, "train_batch_size_samples": batch}
settings = SAETrainerConfig(**samples, lr=3e-3, lr_end=3e-4)
trainer = SAETrainer(settings, TopKTrainingSAE(config), data_provider=iter(()))
seconds = []
for _ in range(steps):
    begin = now()
    trainer.maybe_reset_sparsity()
    trainer.step(rows[torch.randint(len(rows), (batch,))])
    trainer.n_training_steps += 1
    seconds.append(now() - begin)
print(json.dumps({"version": __version__, "rows_per_second": batch / statistics.median(seconds[3:])}))
"""


@dataclass(frozen=True)
class Rate:
    """Rows times dictionaries that one contender learns in a second."""

    contender: str
    rows_per_second: float
    slowest: float
    fastest: float


def main() -> None:
    """Measure, print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saelens", type=Path, help="interpreter of an environment with sae-lens")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu wants --threads 1")
    parser.add_argument("--batch", type=int, default=4096, help="rows a step; 4096 is SAELens's default")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--alone", type=int, default=3, help="how many of the sixteen are run alone")
    parser.add_argument("--quick", action="store_true", help="8 steps, one alone, a smaller report card")
    parser.add_argument("--narrow", action="store_true", help="small dictionaries alone; the rest of OUTPUT is kept")
    parser.add_argument("--device", default="cpu", help="where ours runs; SAELens stays on the processor")
    parser.add_argument("--output", type=Path, default=Path("results/dictionaries.json"))
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.steps, arguments.alone = 8, 1
    torch.set_num_threads(arguments.threads)
    if arguments.narrow:
        kept = json.loads(arguments.output.read_text(encoding="utf-8")) if arguments.output.is_file() else {}
        narrow = _narrow_seconds(arguments)
        _print_narrow(narrow)
        _write(arguments.output, kept | {"narrow": narrow})
        return
    rows = planted_rows(N_ROWS).to(arguments.device)
    now = CLOCKS[arguments.clock]
    peak = _matrix_rate(rows[: arguments.batch], now)
    rates = [_stack_rate(rows, arguments), _alone_rate(rows, arguments)]
    saelens = None if arguments.saelens is None else _saelens_rate(rows.cpu(), arguments)
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "threads": arguments.threads},
        "device": torch.cuda.get_device_name() if arguments.device.startswith("cuda") else "cpu",
        "torch": torch.__version__,
        "clock": arguments.clock,
        "batch": arguments.batch,
        "rates": [vars(rate) for rate in rates],
        "saelens": saelens,
        "matrix_gflops": peak / 1e9,
        "parts": _parts(rows[: arguments.batch], now),
        "distinct": _distinct_gain(rows, arguments.steps, now),
        "card": _card_seconds(rows, CARD_ROWS // 10 if arguments.quick else CARD_ROWS, now),
        "narrow": _narrow_seconds(arguments),
    }
    _print(rates, result)
    _print_narrow(result["narrow"])
    _write(arguments.output, result)


def planted_rows(n_rows: int, d_model: int = D_MODEL) -> Tensor:
    """Return sparse sums of 2,048 random directions, 20 a row."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(2048, d_model, generator=generator), dim=1)
    chosen = torch.randint(2048, (n_rows, 20), generator=generator)
    value = torch.rand(n_rows, 20, generator=generator) + 0.5
    return torch.nn.functional.embedding_bag(chosen, directions, per_sample_weights=value, mode="sum")


def _config(arguments: argparse.Namespace, member: int) -> FitConfig:
    steps, batch = arguments.steps, arguments.batch
    return FitConfig(TopK(K), WIDTH, n_steps=steps, batch_rows=batch, silent_steps=1000, member=member)


def _stack_rate(rows: Tensor, arguments: argparse.Namespace) -> Rate:
    rates = _rates(rows, [_config(arguments, member) for member in range(MEMBERS)], CLOCKS[arguments.clock])
    return Rate(f"stack of {MEMBERS}", statistics.median(rates), min(rates), max(rates))


def _alone_rate(rows: Tensor, arguments: argparse.Namespace) -> Rate:
    now = CLOCKS[arguments.clock]
    runs = [_rates(rows, [_config(arguments, member)], now) for member in range(arguments.alone)]
    rates = [rate for run in runs for rate in run]
    return Rate(f"alone ({arguments.alone} of {MEMBERS} run)", statistics.median(rates), min(rates), max(rates))


def _rates(rows: Tensor, configs: list[FitConfig], now: Callable[[], float]) -> list[float]:
    """Return the rates of the steps that a fit reports, after the first ones."""
    ends: list[float] = []

    def note(_: FitProgress) -> None:
        ends.append(now())

    fit_stack(rows, configs, generator=torch.Generator().manual_seed(0), watch=Watch(note))
    n_rows = configs[0].batch_rows * len(configs)
    return [n_rows / (end - begin) for begin, end in zip(ends[SETTLED:], ends[SETTLED + 1 :], strict=False)]


def _saelens_rate(rows: Tensor, arguments: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.safetensors"
        save_file({"rows": rows}, file)
        numbers = (arguments.threads, arguments.batch, arguments.steps, WIDTH, K)
        environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
        command = [arguments.saelens, "-c", SAELENS, file, arguments.clock, *map(str, numbers)]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(ran.stdout.splitlines()[-1])


def _matrix_rate(rows: Tensor, now: Callable[[], float]) -> float:
    """Return how many floating-point operations a second the encoder's matrix product alone reaches."""
    W_enc = torch.randn(D_MODEL, WIDTH, device=rows.device)
    out = torch.empty(len(rows), WIDTH, device=rows.device)
    return 2 * len(rows) * D_MODEL * WIDTH / _seconds(lambda: torch.mm(rows, W_enc, out=out), now)


def _parts(rows: Tensor, now: Callable[[], float]) -> dict[str, float]:
    """Return milliseconds of one dictionary's step in its parts."""
    W_enc = torch.randn(1, WIDTH, D_MODEL, device=rows.device).mT
    W_dec = torch.randn(1, WIDTH, D_MODEL, device=rows.device, requires_grad=True)
    bias, k = torch.zeros(1, WIDTH, device=rows.device), torch.tensor([K], device=rows.device)
    optimiser = torch.optim.Adam([W_dec], fused=True)
    W_dec.grad = torch.randn_like(W_dec)
    product = _seconds(lambda: torch.baddbmm(bias[:, None], rows[None], W_enc), now)
    selected = _seconds(lambda: select(rows, W_enc, bias, k), now)
    return {
        "encode": 1e3 * product,
        "select the strongest": 1e3 * max(0.0, selected - product),
        "Adam": 2e3 * _seconds(optimiser.step, now),
    }


def _distinct_gain(rows: Tensor, n_steps: int, now: Callable[[], float]) -> dict[str, float]:
    """Return milliseconds a step on rows that repeat, and on their distinct rows with counts."""
    repeated = rows[:N_DISTINCT][torch.arange(20_000, device=rows.device) % N_DISTINCT]
    distinct = distinct_rows(repeated)
    milliseconds = {}
    for name, table, count in (("repeated", repeated, None), ("distinct", distinct.value, distinct.count)):
        config = FitConfig(TopK(8), WIDTH, n_steps=4 * n_steps, silent_steps=1000)
        begin = now()
        fit_stack(table, [config], generator=torch.Generator().manual_seed(0), weights=count)
        milliseconds[name] = 1e3 * (now() - begin) / config.n_steps
    return milliseconds


def _card_seconds(rows: Tensor, n_rows: int, now: Callable[[], float]) -> dict[str, float]:
    config = FitConfig(TopK(K), WIDTH, n_steps=2)
    dictionary = fit_stack(rows[:4096], [config], generator=torch.Generator().manual_seed(0))[0]
    table = planted_rows(n_rows).to(rows.device)
    begin = now()
    row_card(dictionary, table, generator=np.random.default_rng(0))
    return {"rows": n_rows, "seconds": now() - begin}


def _narrow_seconds(arguments: argparse.Namespace) -> dict:
    """Return the median seconds of fits of small dictionaries, as a stack and one after the other."""
    rows, now = planted_rows(NARROW["rows"], NARROW["d_model"]).to(arguments.device), CLOCKS[arguments.clock]
    one = FitConfig(TopK(NARROW["k"]), NARROW["width"], n_steps=NARROW["steps"])
    configs = [replace(one, member=member) for member in range(MEMBERS)]

    def fit_each(runs: list[list[FitConfig]]) -> None:
        for run in runs:
            fit_stack(rows, run, generator=torch.Generator().manual_seed(0))

    ways = {"stack": [configs], "one after the other": [[config] for config in configs]}
    seconds = {name: _seconds(lambda runs=runs: fit_each(runs), now) for name, runs in ways.items()}
    return NARROW | {"threads": arguments.threads, "clock": arguments.clock} | seconds


def _write(output: Path, result: dict) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _seconds(call: Callable[[], object], now: Callable[[], float]) -> float:
    """Return the median seconds of a call, after a first one."""
    call()
    found = []
    for _ in range(9):
        begin = now()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(now() - begin)
    return statistics.median(found)


def _print(rates: list[Rate], result: dict) -> None:
    print("| contender | rows/s (median) | slowest to fastest | share of the matrix rate |")
    print("|---|---:|---:|---:|")
    needed = 2 * D_MODEL * WIDTH / 1e9  # GFLOP a row: the one product that cannot be avoided
    for rate in rates:
        share = rate.rows_per_second * needed / result["matrix_gflops"]
        print(
            f"| {rate.contender} | {rate.rows_per_second:,.0f} | {rate.slowest:,.0f} to {rate.fastest:,.0f} "
            f"| {share:.0%} |"
        )
    if result["saelens"] is not None:
        best = result["saelens"]["rows_per_second"]
        print(f"| sae-lens {result['saelens']['version']}, one alone | {best:,.0f} | | |")
        stack, alone = (rate.rows_per_second / best for rate in rates)
        aimed = f"(aims: {AIMS['stack']} and {AIMS['alone']})"
        print(f"\nThe stack makes {stack:.2f} times SAELens's rate, one alone {alone:.2f} times {aimed}.")
    parts = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in result["parts"].items())
    print(f"\nOf a step of {result['batch']:,} rows on one dictionary: {parts}; the rest is the gradient.")
    print(f"The matrix product alone runs at {result['matrix_gflops']:,.0f} GFLOP/s.")
    repeated, distinct = result["distinct"].values()
    print(
        f"\n20,000 rows of which {N_DISTINCT} are distinct: {repeated:.1f} ms a step drawn from all, {distinct:.1f} ms "
        f"on the distinct ones with counts, {repeated / distinct:.1f} times as fast."
    )
    card = result["card"]
    print(f"\nReport card of {card['rows']:,} rows: {card['seconds']:.1f} s (aim for {CARD_ROWS:,}: {CARD_SECONDS}).")


def _print_narrow(narrow: dict) -> None:
    stack, apart = narrow["stack"], narrow["one after the other"]
    print(
        f"\nSmall dictionaries: {stack:.2f} s as a stack, {apart:.2f} s one after the other, {apart / stack:.1f} times."
    )


if __name__ == "__main__":
    main()
