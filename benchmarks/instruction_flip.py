"""The instruction flip on four models, by the specification that ships: the direction beside its controls and rivals.

python benchmarks/instruction_flip.py      benchmarks/results/instruction_flip.json, in some minutes
"""

import json
from dataclasses import asdict
from pathlib import Path

from dtinterp.interventions.instruction_flip.experiment import run_experiment
from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.interventions.instruction_flip.specification import read_specification
from dtinterp.model.storage import load_model

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "instruction_flip.json"
EXPERIMENT = ROOT / "experiments" / "instruction-flip" / "experiment.yaml"
MODELS = ("memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-dt")


def row(name: str, report: InterventionReport) -> dict[str, object]:
    """Return what the table shows of one model."""
    return {
        "model": name,
        "refuted_by": report.refutations,
        "target_cosine": report.target_cosine,
        "n_turned": report.dose.n_turned,
        "loops": [asdict(loop) for loop in report.closed_loop],
        "rivals": [asdict(rival) for rival in report.rivals],
    }


if __name__ == "__main__":
    specification, rows = read_specification(EXPERIMENT), []
    for name in MODELS:
        rows.append(row(name, run_experiment(specification, load_model(ROOT / "checkpoints" / "models" / name).model)))
        print(name, *rows[-1]["refuted_by"] or ["refuted by nothing"], flush=True)
    found = {"command": "python benchmarks/instruction_flip.py", "rows": rows}
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
