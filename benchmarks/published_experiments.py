"""The published experiments on every model: decoys, exchanged targets, one direction set, and the items' geometry.

python benchmarks/published_experiments.py      benchmarks/results/published_experiments.json, in a minute

The published model is among them where it was imported, see checkpoints/README.md.
"""

import json
from pathlib import Path

import torch

from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.studies.item_geometry import feature_maps, norm_strips
from dtinterp.interventions.studies.published import (
    COEFFICIENTS,
    DECOYS,
    EXCHANGED,
    INSTRUCTION_CELLS,
    TARGET_CELLS,
    THINGS,
    run_published,
)
from dtinterp.subject.subject import Subject, open_subject

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "published_experiments.json"
MODELS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-gated-mlp")


def row(name: str, subject: Subject) -> dict[str, object]:
    """Return what the tables show of one model."""
    found = run_published(subject)
    shown = subject.one_hot.amax(dim=0) > 0
    embedding = subject.model.W_obs.detach().norm(dim=1)
    return {
        "model": name,
        "windows": list(found.names),
        "original": _listed(found.original),
        "flipped": _listed(found.flipped),
        "restored": dict(zip(DECOYS, map(_listed, found.restored), strict=True)),
        "exchanged": dict(zip(EXCHANGED, map(_listed, found.exchanged), strict=True)),
        "coefficient": list(COEFFICIENTS),
        "component_set": [_listed(curve) for curve in found.component_set],
        "projection": dict(zip(("original", "both decoys"), map(_listed, found.projection), strict=True)),
        "share": {
            name: _listed(feature_maps(subject.model, items_at(THINGS, cells), things=THINGS).share[:4])
            for name, cells in (("instruction", INSTRUCTION_CELLS), ("targets", TARGET_CELLS))
        },
        "separates": bool(found.direction.explains["separates"]),
        "norm": {strip.thing: float(strip.norm.median()) for strip in norm_strips(subject.model, shown, THINGS)},
        "norm of items never shown": float(embedding[~shown].median()),
    }


def _listed(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


if __name__ == "__main__":
    rows = []
    for name in MODELS:
        folder = ROOT / "checkpoints" / "models" / name
        if not folder.exists():
            print(f"{name} is not there, see checkpoints/README.md")
            continue
        rows.append(row(name, open_subject(folder)))
        print(name, json.dumps(rows[-1]["restored"]), json.dumps(rows[-1]["exchanged"]), flush=True)
    found = {"command": "python benchmarks/published_experiments.py", "rows": rows}
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
