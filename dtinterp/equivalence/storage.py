"""A report on equivalence becomes an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.equivalence.behaviour.quotient import QuotientBehaviour
from dtinterp.equivalence.behaviour.quotient_rollouts import QuotientRollout
from dtinterp.equivalence.classes.certificates import Certificate, Later, WorstSwap
from dtinterp.equivalence.classes.failure_bounds import Arm, Bound
from dtinterp.equivalence.classes.refinement import Round
from dtinterp.equivalence.classes.verification import Verification
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.relation import Relation
from dtinterp.equivalence.report import EquivalenceConfig, EquivalenceReport
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.equivalence.swaps.feasible_swaps import Reachable
from dtinterp.equivalence.swaps.interchange import Swaps
from dtinterp.equivalence.truth.agreement import WorldComparison, adjusted
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import require_equally_many, understood
from dtinterp.foundation.statistics import Interval

ARTEFACT_KIND = "equivalence"
UNTRIED = {"n_rounds": 0, "n_verified": 0}
"""What the settings of a report mean that was written before classes were tried in fresh contexts."""
TOLD = ("rounds", "counterexamples", "bounds", "arms", "stability", "later")
"""Fields of the scrutiny that are no tensors."""


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
            "totals": [asdict(each) for each in report.totals],
            "is_refined_to_the_end": report.is_refined_to_the_end,
            "comparisons": [asdict(comparison) for comparison in report.comparisons],
            "behaviour": asdict(report.behaviour),
            **_told(report.scrutiny),
            "acted": [asdict(each) for each in report.acted],
        },
    )
    return write_artefact(path, content, parents=parents, seed=report.config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_equivalence(path: Path, *, parent: Artefact | None = None) -> EquivalenceReport:
    """Read the report in the folder `path`; with `parent`, check that it rests on just that artefact.

    Raises `UserError` where it is missing, damaged, of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings, tensors, metrics = artefact.config, artefact.tensors, artefact.manifest.metrics
    frame_id = tensors["frame_id"]
    world_names = TypeAdapter(tuple[str, ...]).validate_python(settings["worlds"])
    counts = {name: TypeAdapter(int).validate_python(metrics[name]) for name in ("n_steps", "n_distinct")}
    report = EquivalenceReport(
        env_id=str(settings["env_id"]),
        config=TypeAdapter(EquivalenceConfig).validate_python(UNTRIED | _settings(settings["certify"])),
        chosen=ChosenFrames(frame_id, tensors["n_visits"], **counts),
        frames=tensors["frames"],
        swaps=Swaps(frame_id=frame_id, **_under("swaps/", tensors)),
        partition=Partition(tensors["label"], str(settings["partition"])),
        certificates=TypeAdapter(tuple[Certificate, ...]).validate_python(metrics["certificates"]),
        untrained=Relation(frame_id=frame_id, name=str(settings["untrained"]), **_under("untrained/", tensors)),
        worlds=tuple(Partition(tensors[f"world/{name}"], name) for name in world_names),
        comparisons=adjusted(TypeAdapter(tuple[WorldComparison, ...]).validate_python(metrics["comparisons"])),
        behaviour=TypeAdapter(QuotientBehaviour).validate_python(metrics["behaviour"]),
        scrutiny=_scrutiny(tensors, metrics),
        acted=TypeAdapter(tuple[QuotientRollout, ...]).validate_python(metrics.get("acted", ())),
    )
    require_equally_many(classes=report.partition.n_classes, certificates=len(report.certificates))
    require_equally_many(**{"partitions of the world": len(report.worlds), "comparisons": len(report.comparisons)})
    return report


def _tensors(report: EquivalenceReport) -> dict[str, Tensor]:
    return {
        "frame_id": report.chosen.frame_id,
        "n_visits": report.chosen.n_visits,
        "frames": report.frames,
        "label": report.partition.label,
        **_columns("swaps/", report.swaps),
        **_columns("untrained/", report.untrained),
        **{f"world/{world.name}": world.label for world in report.worlds},
        **_tried(report.scrutiny),
    }


def _settings(stored: JSON) -> dict[str, object]:
    return TypeAdapter(dict[str, object]).validate_python(stored)


def _told(scrutiny: Verification | None) -> dict[str, JSON]:
    """Return what a scrutiny says in words and numbers; nothing where there was none."""
    if scrutiny is None:
        return {}
    told = {name: TypeAdapter(object).dump_python(getattr(scrutiny, name), mode="json") for name in TOLD}
    return {"scrutiny": {**told, "formed": scrutiny.formed.name}}


def _scrutiny(tensors: Mapping[str, Tensor], metrics: Mapping[str, JSON]) -> Verification | None:
    if "scrutiny" not in metrics:
        return None
    told, found = _settings(metrics["scrutiny"]), _under("scrutiny/", tensors)
    reach = _under("reachable/", found)
    return Verification(
        formed=Partition(found["formed"], str(told["formed"])),
        rounds=TypeAdapter(tuple[Round, ...]).validate_python(told["rounds"]),
        counterexamples=TypeAdapter(tuple[WorstSwap, ...]).validate_python(told["counterexamples"]),
        bounds=TypeAdapter(tuple[Bound, ...]).validate_python(told["bounds"]),
        arms=TypeAdapter(tuple[Arm, ...]).validate_python(told["arms"]),
        stability=TypeAdapter(Interval | None).validate_python(told["stability"]),
        at_once=found["at_once"],
        later=TypeAdapter(tuple[Later, ...]).validate_python(told.get("later", ())),
        reachable=Reachable(**reach) if reach else None,
    )


def _tried(scrutiny: Verification | None) -> dict[str, Tensor]:
    """Return the tensors of a scrutiny; none where there was none."""
    if scrutiny is None:
        return {}
    reach = {} if scrutiny.reachable is None else _columns("scrutiny/reachable/", scrutiny.reachable)
    return {"scrutiny/formed": scrutiny.formed.label, "scrutiny/at_once": scrutiny.at_once, **reach}


def _columns(prefix: str, table: Swaps | Relation | Reachable) -> dict[str, Tensor]:
    """Return the tensors of a table but the frame ids, which all tables share."""
    columns = {field.name: getattr(table, field.name) for field in fields(table) if field.name != "frame_id"}
    return {prefix + name: column for name, column in columns.items() if isinstance(column, Tensor)}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
