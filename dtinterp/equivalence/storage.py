"""A report on equivalence becomes an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.equivalence.certificates import Certificate
from dtinterp.equivalence.certify import Comparison, EquivalenceConfig, EquivalenceReport
from dtinterp.equivalence.classes import Partition
from dtinterp.equivalence.frames import ChosenFrames
from dtinterp.equivalence.quotient import Behaviour
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.swaps import Swaps
from dtinterp.foundation.artefact import Artefact, Content, read_artefact, write_artefact

ARTEFACT_KIND = "equivalence"


def save_equivalence(
    path: Path, report: EquivalenceReport, *, parents: Sequence[Artefact], replace: bool = False
) -> Artefact:
    """Write the report to the folder `path`, certificates and comparisons as its metrics.

    `parents` are the model and the demonstrations. Raises `UserError` where `path` exists and `replace` is not given.
    """
    content = Content(
        kind=ARTEFACT_KIND,
        config={
            "env_id": report.env_id,
            "certify": asdict(report.config),
            "partition": report.partition.name,
            "untrained": report.untrained.name,
            "worlds": [world.name for world in report.worlds],
        },
        tensors=_tensors(report),
        metrics={
            "n_steps": report.chosen.n_steps,
            "n_distinct": report.chosen.n_distinct,
            "coverage": report.chosen.coverage,
            "n_contexts": report.n_contexts,
            "n_swaps": report.n_swaps,
            "n_decisions": report.n_decisions,
            "n_classes": report.partition.n_classes,
            "certificates": [asdict(certificate) for certificate in report.certificates],
            "comparisons": [asdict(comparison) for comparison in report.comparisons],
            "behaviour": asdict(report.behaviour),
        },
    )
    return write_artefact(path, content, parents=parents, seed=report.config.seed, replace=replace)


def load_equivalence(path: Path, *, parent: Artefact | None = None) -> EquivalenceReport:
    """Read the report in the folder `path`; with `parent`, check that it rests on just that artefact.

    Raises `UserError` where it is missing, damaged, of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings, tensors, metrics = artefact.config, artefact.tensors, artefact.manifest.metrics
    frame_id = tensors["frame_id"]
    world_names = TypeAdapter(tuple[str, ...]).validate_python(settings["worlds"])
    counts = {name: TypeAdapter(int).validate_python(metrics[name]) for name in ("n_steps", "n_distinct")}
    return EquivalenceReport(
        env_id=str(settings["env_id"]),
        config=TypeAdapter(EquivalenceConfig).validate_python(settings["certify"]),
        chosen=ChosenFrames(frame_id, tensors["n_visits"], **counts),
        frames=tensors["frames"],
        swaps=Swaps(frame_id=frame_id, **_under("swaps/", tensors)),
        partition=Partition(tensors["label"], str(settings["partition"])),
        certificates=TypeAdapter(tuple[Certificate, ...]).validate_python(metrics["certificates"]),
        untrained=Relation(frame_id=frame_id, name=str(settings["untrained"]), **_under("untrained/", tensors)),
        worlds=tuple(Partition(tensors[f"world/{name}"], name) for name in world_names),
        comparisons=TypeAdapter(tuple[Comparison, ...]).validate_python(metrics["comparisons"]),
        behaviour=TypeAdapter(Behaviour).validate_python(metrics["behaviour"]),
    )


def _tensors(report: EquivalenceReport) -> dict[str, Tensor]:
    return {
        "frame_id": report.chosen.frame_id,
        "n_visits": report.chosen.n_visits,
        "frames": report.frames,
        "label": report.partition.label,
        **_columns("swaps/", report.swaps),
        **_columns("untrained/", report.untrained),
        **{f"world/{world.name}": world.label for world in report.worlds},
    }


def _columns(prefix: str, table: Swaps | Relation) -> dict[str, Tensor]:
    """Return the tensors of a table but the frame ids, which all tables share."""
    columns = {field.name: getattr(table, field.name) for field in fields(table) if field.name != "frame_id"}
    return {prefix + name: column for name, column in columns.items() if isinstance(column, Tensor)}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
