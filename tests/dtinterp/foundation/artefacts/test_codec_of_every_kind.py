"""What ships, made by the code before, opens by its kind, and would be written again as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from dtinterp.foundation.artefacts.codec import MODULES, content_of, kinds_named, load_any

SHIPPED = Path(__file__).parents[4] / "checkpoints"
STUDY = SHIPPED / "studies" / "memory-dt-small-0"
PLACES: Mapping[str, Path] = {
    "agent": SHIPPED / "agents" / "memory-movable",
    "demonstrations": SHIPPED / "demonstrations" / "memory-movable",
    "model": SHIPPED / "models" / "memory-dt-small-0",
    "dictionary": STUDY / "dictionaries" / "hook_obs_embed" / "l1-128-c1",
    "calibration": STUDY / "calibration",
    "validation": STUDY / "validation",
    "features": STUDY / "features" / "hook_obs_embed",
    "labels": STUDY / "labels" / "hook_obs_embed" / "pca-8",
    "truth": STUDY / "truth" / "hook_obs_embed" / "pca-8",
    "belief-geometry": STUDY / "beliefs",
    "feature-comparison": STUDY / "comparison",
    "model-comparison": STUDY / "agreement",
    "intervention-report": STUDY / "instruction-flip",
    "equivalence": SHIPPED / "studies" / "memory-dt-small-1" / "reachable",
    "class history": SHIPPED / "comparisons" / "training",
    "screening": STUDY / "screening",
    "machine": STUDY / "machine",
    "joint-replacement": SHIPPED / "studies" / "memory-dt-small-0" / "all-plays",
    "pair": min((STUDY / "pairs").iterdir()),
    "explanation": STUDY / "explanation",
}
GROWN = ("agent", "demonstrations", "model", "model-comparison", "intervention-report", "explanation", "equivalence")
"""What has more settings or measurements than when these were made."""


def _known(before: Any, now: Any) -> Any:
    """Return of what is written now that for which there was a name before."""
    if isinstance(before, list):
        return [_known(each, part) for each, part in zip(before, now, strict=True)]
    if not isinstance(before, Mapping):
        return now
    return {key: _known(before[key], part) for key, part in now.items() if key in before}


@pytest.mark.parametrize("name", PLACES)
def test_what_was_written_before_would_be_written_again_as_it_is(name: str) -> None:
    value, artefact = load_any(PLACES[name])
    content = content_of(value)
    assert content.kind == name
    config, metrics = dict(content.config), dict(content.metrics)
    for measured_otherwise in ("confusions", "by_sampler"):
        metrics.pop(measured_otherwise, None)
    if name in GROWN:
        config, metrics = _known(artefact.config, config), _known(artefact.manifest.metrics, metrics)
    assert {key: artefact.config[key] for key in config} == config
    assert {key: artefact.manifest.metrics[key] for key in metrics} == metrics
    for key, tensor in content.tensors.items():
        assert torch.equal(artefact.tensors[key], tensor)
        assert artefact.tensors[key].dtype == tensor.dtype


def test_values_of_what_was_written_before_are_these() -> None:
    pair, _ = load_any(PLACES["pair"])
    assert "-".join(map(str, pair.pair)) == PLACES["pair"].name
    assert pair.dictionary == "topk-128-k8"
    report, artefact = load_any(PLACES["equivalence"])
    assert report.partition.n_classes == artefact.manifest.metrics["n_classes"]
    assert report.scrutiny.formed.label.equal(artefact.tensors["scrutiny/formed"])


@pytest.mark.parametrize("name", MODULES)
def test_a_name_is_that_of_one_kind(name: str) -> None:
    (kind,) = kinds_named(name)
    assert kind.name == name


def test_kinds_that_were_both_called_comparison_are_two() -> None:
    assert {kind.name for kind in kinds_named("comparison")} == {"feature-comparison", "model-comparison"}
