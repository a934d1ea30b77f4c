"""A screening becomes an artefact, and back."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.equivalence.classes.refinement import Round
from dtinterp.equivalence.classes.verification import Verified
from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.screen import ScreenConfig, Screening
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.equivalence.truth.screened_agreement import ScreenedAgreement
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "screening"
COUNTS = ("n_pairs", "n_looked_at", "n_close")


def save_screening(path: Path, found: Screening, *, parents: Sequence[Artefact], replace: bool = False) -> Artefact:
    """Write the screening to the folder `path`; `parents` are the model and the demonstrations.

    Raises `UserError` where `path` exists and `replace` is not given.
    """
    content = Content(
        kind=ARTEFACT_KIND,
        config={"env_id": found.env_id, "screen": asdict(found.config), "partition": found.partition.name},
        tensors={
            "frame_id": found.chosen.frame_id,
            "n_visits": found.chosen.n_visits,
            "label": found.partition.label,
            "frames": found.frames,
        },
        metrics={
            "n_steps": found.chosen.n_steps,
            "n_distinct": found.chosen.n_distinct,
            "n_frames": len(found.chosen.frame_id),
            "n_classes": found.partition.n_classes,
            **{name: getattr(found, name) for name in COUNTS},
            "rounds": [asdict(each) for each in found.rounds],
            "assay": None if found.assay is None else asdict(found.assay),
            "standing": None if found.standing is None else asdict(found.standing),
        },
    )
    return write_artefact(path, content, parents=parents, seed=found.config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_screening(path: Path) -> Screening:
    """Read the screening in the folder `path`; raises `UserError` where it is missing, damaged or of another schema."""
    artefact = read_artefact(path, kind=ARTEFACT_KIND)
    tensors, metrics = artefact.tensors, artefact.manifest.metrics
    numbers = {name: TypeAdapter(int).validate_python(metrics[name]) for name in ("n_steps", "n_distinct", *COUNTS)}
    sides = {name: numbers.pop(name) for name in ("n_steps", "n_distinct")}
    return Screening(
        env_id=str(artefact.config["env_id"]),
        config=TypeAdapter(ScreenConfig).validate_python(artefact.config["screen"]),
        chosen=ChosenFrames(tensors["frame_id"], tensors["n_visits"], **sides),
        frames=tensors["frames"],
        partition=Partition(tensors["label"], str(artefact.config["partition"])),
        rounds=TypeAdapter(tuple[Round, ...]).validate_python(metrics["rounds"]),
        assay=TypeAdapter(Verified | None).validate_python(metrics["assay"]),
        standing=TypeAdapter(ScreenedAgreement | None).validate_python(metrics["standing"]),
        **numbers,
    )
