"""The search for labels beside the same search one candidate at a time: seconds of processor time, and what it misses.

    python benchmarks/labels.py                     the table, and benchmarks/results/labels.json
    python benchmarks/labels.py --features 128      fewer features for the fast search

Statements are those about real rows of a shipped model; features fire for conjunctions of three of them, a tenth of the
firings left out. The loop tries the candidates that the fast search tries, for one feature and one size, and is
multiplied by the number of features and sizes (the first size has one conjunction to extend, the others a beam). A beam
as wide as the language is exhaustive for two statements; so is told how often 16 miss the best. Nothing is asserted.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from dtinterp.activations.harvest import harvest
from dtinterp.features.labels.labelling import divided
from dtinterp.features.labels.predicates import Predicates, predicates_of
from dtinterp.features.labels.search import Conjunctions, saved_bits, search
from dtinterp.features.labels.table import LabelConfig
from dtinterp.foundation.shipped import DEMONSTRATIONS
from dtinterp.subject.subject import open_subject

MODEL = Path("checkpoints/models/memory-dt")
SITE = "blocks.1.hook_resid_pre"
OUTPUT = Path(__file__).parent / "results" / "labels.json"
N_LITERALS, BEAM, N_CHECKED = 3, 16, 64


@dataclass(frozen=True)
class Measured:
    """One run on one thread."""

    n_rows: int
    n_statements: int
    n_features: int
    seconds: float
    loop_seconds_per_feature: float
    """one candidate at a time, the candidates of one size only: a beam's extensions by every statement"""
    times_faster: float
    share_exact: float
    """features of two statements for which the beam's label is worth as much as the best of all pairs"""
    platform: str


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    statements = _statements()
    fires = _planted(statements, options.features)
    seconds, _ = _timed(lambda: search(fires, statements, n_literals=N_LITERALS, beam=BEAM))
    loop, _ = _timed(lambda: _one_at_a_time(fires[:, 0], statements))
    few = fires[:, :N_CHECKED]
    narrow = search(few, statements, n_literals=2, beam=BEAM).worth
    exhaustive = search(few, statements, n_literals=2, beam=2 * statements.holds.shape[1]).worth
    measured = Measured(
        n_rows=len(fires),
        n_statements=statements.holds.shape[1],
        n_features=fires.shape[1],
        seconds=seconds,
        loop_seconds_per_feature=loop,
        times_faster=loop * (1 / BEAM + N_LITERALS - 1) * fires.shape[1] / seconds,
        share_exact=float((narrow >= exhaustive - 1e-3).double().mean()),
        platform=platform.platform(),
    )
    for name, value in asdict(measured).items():
        print(f"{name:26} {value:.4g}" if isinstance(value, float) else f"{name:26} {value}")
    options.output.write_text(json.dumps(asdict(measured), indent=1) + "\n", encoding="utf-8")


def _statements() -> Predicates:
    subject = open_subject(MODEL, DEMONSTRATIONS)
    windows = subject.held_out_windows(2048, seed=0)
    rows = divided(harvest(subject.model, windows, subject.items, SITE), subject.trajectories, LabelConfig()).searched
    statements = predicates_of(rows, subject.trajectories)
    return statements.only(statements.telling)


def _planted(statements: Predicates, n_features: int) -> Bool[Tensor, "row feature"]:
    rng = torch.Generator().manual_seed(0)
    n_rows, n_statements = statements.holds.shape
    chosen = torch.randint(n_statements, (n_features, N_LITERALS), generator=rng)
    signs = torch.rand(n_features, N_LITERALS, generator=rng) < 0.5
    said = (statements.holds[:, chosen] ^ signs).all(dim=2)  # row feature
    return said ^ (said & (torch.rand(n_rows, n_features, generator=rng) < 0.1))


def _one_at_a_time(fires: Bool[Tensor, " row"], statements: Predicates) -> float:
    """Extend each of `BEAM` conjunctions by every statement and its negation, and return what the best saves."""
    best, n_fires = 0.0, fires.sum()
    for place in range(BEAM):
        for column in statements.holds.T:
            for said in (statements.holds[:, place] & column, statements.holds[:, place] & ~column):
                saved = saved_bits((said & fires).sum(), said.sum(), n_fires=n_fires, n_rows=len(fires))
                best = max(best, float(saved))
    return best


def _timed(run: Callable[[], float | Conjunctions]) -> tuple[float, float | Conjunctions]:
    began = time.process_time()
    made = run()
    return time.process_time() - began, made


if __name__ == "__main__":
    main()
