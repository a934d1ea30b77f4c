"""Sending the agent to the other target, by handles and by steering vectors, in every model.

python benchmarks/retargeting.py [MODEL ...]      benchmarks/results/retargeting.json, in some minutes

The published model is among them where it was imported, see checkpoints/README.md.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from dtinterp.interventions.studies.retargeting import RetargetConfig, retarget
from dtinterp.subject.subject import open_subject

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "retargeting.json"
MODELS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-gated-mlp")

if __name__ == "__main__":
    config, rows = RetargetConfig(), []
    for name in sys.argv[1:] or MODELS:
        folder = ROOT / "checkpoints" / "models" / name
        if not folder.exists():
            print(f"{name} is not there, see checkpoints/README.md")
            continue
        found = retarget(open_subject(folder), config)
        rows.append({"model": name, "arms": [asdict(each) for each in found]})
        for each in found:
            print(name, each.arm, each.reached, f"timeout {each.timeout.estimate:.2f}", flush=True)
    found = {"command": "python benchmarks/retargeting.py", "config": asdict(config), "rows": rows}
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
