from dataclasses import asdict, fields
from pathlib import Path

import pytest
import torch
from jaxtyping import Float32
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.dataset.split import Split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.certify import certify_inputs
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, write_artefact
from dtinterp.foundation.artefacts.codec import load, save
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer

NEWER = ("scrutiny", "met", "luck", "joint", "wandering", "moves", "abstraction")
"""What reports hold now and did not once."""


@pytest.fixture(scope="module")
def report(
    model: DecisionTransformer, trajectories: Trajectories, halves: Split, items: Float32[Tensor, "table item"]
) -> EquivalenceReport:
    untrained = DecisionTransformer(model.cfg, generator(1, "untrained"))
    config = EquivalenceConfig(
        n_frames=6,
        n_contexts=2,
        epsilon=0.3,
        n_draws=5,
        n_quotient_draws=2,
        contexts="held-out",
        n_joint_rounds=0,
        n_wandered=0,
        seed=3,
    )
    return certify_inputs(CertifyInputs(model, untrained, trajectories, halves.held_out, items), config)


def _assert_same(one: object, other: object) -> None:
    """Compare field by field, tensors by content."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    elif isinstance(one, tuple) and isinstance(other, tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            _assert_same(left, right)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):  # type: ignore[arg-type]
            _assert_same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def test_a_report_comes_back_as_it_was(report: EquivalenceReport, tmp_path: Path) -> None:
    save(tmp_path / "equivalence", report, seed=0, parents=[])
    loaded = load(tmp_path / "equivalence", EQUIVALENCE)
    _assert_same(loaded, report)
    _assert_same(loaded.relation, report.relation)


def test_a_report_of_before_opens_without_what_was_not_tried_then(report: EquivalenceReport, tmp_path: Path) -> None:
    written = save(tmp_path / "new", report, seed=0, parents=[])
    new = ("site", "n_rounds", "n_fresh", "n_verified", "contexts", "n_joint_rounds", "n_wandered", "n_abstracted")
    settings = {name: value for name, value in asdict(report.config).items() if name not in new}
    content = Content(
        kind=written.manifest.kind,
        config={**written.config, "certify": settings},
        tensors={name: each for name, each in written.tensors.items() if not name.startswith(NEWER)},
        metrics={name: each for name, each in written.manifest.metrics.items() if name not in NEWER},
    )
    write_artefact(tmp_path / "old", content, parents=[], seed=0)
    loaded = load(tmp_path / "old", EQUIVALENCE)
    assert loaded.scrutiny is None
    assert (loaded.config.n_rounds, loaded.config.n_verified, loaded.config.n_abstracted) == (0, 0, 0)
    assert loaded.abstraction == ()
    assert loaded.certificates == report.certificates


def test_a_report_of_before_worst_swaps_were_kept_counts_what_its_bounds_say(
    report: EquivalenceReport, tmp_path: Path
) -> None:
    written = save(tmp_path / "new", report, seed=0, parents=[])
    told = {name: each for name, each in _told(written.manifest.metrics["scrutiny"]).items() if name != "later"}
    rows = [{k: v for k, v in _told(row).items() if k != "p_holm"} for row in _rows(written, "comparisons")]
    metrics = {**written.manifest.metrics, "scrutiny": told, "comparisons": rows}
    new = ("contexts", "horizon", "most_contexts")
    settings = {name: value for name, value in asdict(report.config).items() if name not in new}
    config = {**written.config, "certify": settings}
    write_artefact(
        tmp_path / "old", Content(written.manifest.kind, config, written.tensors, metrics), parents=[], seed=0
    )
    loaded = load(tmp_path / "old", EQUIVALENCE)
    assert loaded.comparisons == report.comparisons
    assert loaded.scrutiny is not None
    assert loaded.scrutiny.later == ()
    assert loaded.scrutiny.bounds
    for bound in loaded.scrutiny.bounds:
        certificate, found = loaded.certificates[bound.label], loaded.totals[bound.label]
        assert found.maximum == max(certificate.maximum, bound.maximum)
        assert found.n_swaps == certificate.n_swaps + bound.n_swaps
        assert found.worst == (certificate.worst if found.stage == "formation" else None)


def _told(stored: object) -> dict[str, JSON]:
    return TypeAdapter(dict[str, JSON]).validate_python(stored)


def _rows(artefact: Artefact, name: str) -> list[JSON]:
    return TypeAdapter(list[JSON]).validate_python(artefact.manifest.metrics[name])
