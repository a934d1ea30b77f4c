"""Searches for edits that flip the turn: seconds of exhaustion, and what each strategy finds for fewer candidates.

    python benchmarks/adversaries.py                              benchmarks/results/adversaries.json
    python benchmarks/adversaries.py --threads 1 --clock cpu      in processor time: a busy machine

All placements: every pair of edits in the five frames of the first decision point, where an edit shows any object of
the world in any cell. Then legal edits at all four decision points: the lowest logit difference of two edits by
exhaustion, how near to it each strategy is after so many candidates, and with how many branch and bound finds it; and
the same for pre-activations of features at the first frame, where the bound is exact. Nothing is asserted.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from dtinterp.adversaries.cell_model import CellModel, cell_model
from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.objectives.actions import FlipLogits
from dtinterp.adversaries.objectives.features import FlipFeature
from dtinterp.adversaries.objectives.objective import Objective
from dtinterp.adversaries.problem import Problem, Tally, share_of_optimum
from dtinterp.adversaries.scene import Scene
from dtinterp.adversaries.search import decision_scenes, problem_of
from dtinterp.adversaries.strategies import STRATEGIES, StrategyName
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.frames import encoded
from dtinterp.subject.subject import Subject, open_subject

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "adversaries.json"
MODELS = ("memory-dt-small-0", "memory-dt")
DICTIONARY = "topk-128-k8"
AT = (10, 30, 100, 300, 1000, 3000)
"""Candidates after which strategies are compared."""
N_FEATURES = 5
"""The most active of the first frame."""
GUIDED: tuple[StrategyName, ...] = ("greedy", "beam", "gradient", "random")
"""Strategies that are given as many candidates, beside branch and bound."""
SEEDS = 5
"""Of the random strategy."""
TURN = FlipLogits(0, 1)


def main() -> None:
    """Measure, print, and write the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu wants --threads 1")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    found = {
        "command": "python benchmarks/adversaries.py",
        "machine": {"processor": platform.processor() or platform.machine(), "threads": arguments.threads},
        "versions": {name: version(name) for name in ("torch", "transformer-lens")},
        "clock": arguments.clock,
        "models": {name: measured(name, clock) for name in arguments.models},
    }
    arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measured(name: str, clock: Callable[[], float]) -> dict[str, object]:
    """Return the figures of one model."""
    subject = open_subject(ROOT / "checkpoints" / "models" / name)
    folder = ROOT / "checkpoints" / "studies" / name / "dictionaries" / "hook_obs_embed" / DICTIONARY
    features, cells = load_dictionary(folder), cell_model(subject.trajectories, longest=50)
    views = decision_scenes(subject, AdversaryConfig())
    placements = _placements(subject, views[0], cells, clock)
    print(name, "all placements", placements, flush=True)
    turns = [_compared(subject, view, cells, features, TURN) for view in views]
    objectives = _features_of(subject, views[0], features)
    linear = [_compared(subject, views[0], cells, features, each) for each in objectives]
    for kind, rows in (("turn", turns), ("feature", linear)):
        for row in rows:
            print(name, kind, row, flush=True)
    return {"all_placements": placements, "turn": turns, "feature": linear}


def _placements(
    subject: Subject, view: Scene, cells: CellModel, clock: Callable[[], float]
) -> dict[str, float | int | str]:
    problem = problem_of(subject.model, view, cells, TURN, AdversaryConfig(edits="item"))
    tally = Tally(problem, left=10**9)
    began = clock()
    STRATEGIES["exhaustive"](problem, tally, torch.Generator())
    seconds = clock() - began
    bounded = Tally(problem, left=10**9)
    proof = STRATEGIES["branch-and-bound"](problem, bounded, torch.Generator())
    return {
        "edits": len(problem.table),
        "candidates": tally.total,
        "seconds": seconds,
        "lowest": tally.lowest,
        "branch_and_bound": bounded.total,
        "its_lowest": bounded.lowest,
        "proof": proof,
    }


def _compared(
    subject: Subject, view: Scene, cells: CellModel, features: Dictionary, objective: Objective
) -> dict[str, object]:
    """Return the optimum of legal edits, and how far each strategy came."""
    problem = replace(
        problem_of(subject.model, view, cells, objective, AdversaryConfig(edits="frame")), features=features
    )
    everything = Tally(problem, left=10**9)
    STRATEGIES["exhaustive"](problem, everything, torch.Generator())
    bounded = Tally(problem, left=10**9)
    proof = STRATEGIES["branch-and-bound"](problem, bounded, torch.Generator())
    at = {str(n): n for n in AT}
    shares = {"branch-and-bound": share_of_optimum(bounded, everything.lowest, at)}
    for name in GUIDED:
        runs = [_spent(problem, name, seed) for seed in range(SEEDS if name == "random" else 1)]
        each = [share_of_optimum(run, everything.lowest, at) for run in runs]
        shares[name] = {n: statistics.fmean(share[n] for share in each) for n in at}
    shares["unguided greedy"] = share_of_optimum(
        _spent(replace(problem, features=None), "greedy", 0), everything.lowest, at
    )
    return {
        "window": view.name,
        "objective": objective.title,
        "original": problem.original,
        "lowest": everything.lowest,
        "candidates": everything.total,
        "branch_and_bound": {"candidates": bounded.total, "lowest": bounded.lowest, "proof": proof},
        "share_of_optimum": shares,
    }


def _spent(problem: Problem, strategy: StrategyName, seed: int) -> Tally:
    tally = Tally(problem, left=AT[-1])
    STRATEGIES[strategy](problem, tally, generator(seed, f"benchmark/{strategy}"))
    return tally


def _features_of(subject: Subject, view: Scene, features: Dictionary) -> list[FlipFeature]:
    """Return objectives on the most active features of the first frame."""
    row = subject.embedded(encoded(view.frames[:1], subject.model.cfg.n_items))
    codes = encode_dense(features, row)[0]
    return [FlipFeature(features, int(number), 0) for number in codes.topk(N_FEATURES).indices]


if __name__ == "__main__":
    main()
