"""Directions of the instruction: whether they act by what rows vary in, and what ways to edit change besides.

python benchmarks/directions.py [MODEL ...]      benchmarks/results/directions.json, in some minutes

The published model is among them where it was imported, see checkpoints/README.md.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.dictionary.storage import load_dictionary
from dtinterp.interventions.directions import DirectionSpec
from dtinterp.interventions.directions.finder import FoundDirections, Material
from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.studies.data_span import span_shares
from dtinterp.interventions.studies.exchange import Exchange
from dtinterp.interventions.studies.published import INSTRUCTION_CELLS, SITE, THINGS
from dtinterp.interventions.studies.ways_to_edit import ways_to_edit
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.subject.subject import Subject, open_subject

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "directions.json"
MODELS = ("memory-dt", "memory-dt-small-0", "memory-dt-small-1", "memory-dt-small-2", "memory-gated-mlp")
DICTIONARY = "dictionaries/hook_obs_embed/topk-128-k8"
SPECS: Mapping[str, Mapping[str, object]] = {
    "first component of eight items": {"kind": "component", "items": list(items_at(THINGS, INSTRUCTION_CELLS))},
    "component of the items that tell": {"kind": "component", "tell": "instruction"},
    "difference of means": {"kind": "difference", "fact": "instruction", "frame": "first"},
    "probe": {"kind": "probe", "fact": "instruction", "frame": "first"},
    "DAS": {"kind": "das", "epochs": 30},
    "random, items' span": {"kind": "random"},
}


def directions(subject: Subject, exchange: Exchange) -> Iterator[tuple[str, FoundDirections]]:
    """Yield the directions of each kind."""
    material = Material(subject, SITE, exchange.chosen)
    for name, spec in SPECS.items():
        yield name, TypeAdapter(DirectionSpec).validate_python(spec).find(material)


def row(name: str, subject: Subject) -> dict[str, object]:
    """Return what the tables show of one model."""
    exchange = Exchange.of(subject, DecisionPoints(detours=2).choose(subject, 0), SITE)
    found = dict(directions(subject, exchange))
    shares = span_shares(exchange, {each: vectors.vectors[0] for each, vectors in found.items()})
    folder = ROOT / "checkpoints" / "studies" / name / DICTIONARY
    ways = ways_to_edit(subject, load_dictionary(folder)) if folder.exists() else ()
    return {
        "model": name,
        "windows": len(exchange.chosen),
        "shares": [asdict(each) | {"explains": dict(found[each.name].explains)} for each in shares],
        "ways": [asdict(each) for each in ways],
    }


if __name__ == "__main__":
    rows = []
    for name in sys.argv[1:] or MODELS:
        folder = ROOT / "checkpoints" / "models" / name
        if not folder.exists():
            print(f"{name} is not there, see checkpoints/README.md")
            continue
        rows.append(row(name, open_subject(folder)))
        print(json.dumps(rows[-1]), flush=True)
    result = {"command": "python benchmarks/directions.py", "rows": rows}
    OUTPUT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
