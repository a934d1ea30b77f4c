"""A history of classes becomes an artefact, and back."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.equivalence.over_training import History, HistoryConfig, HistoryPoint
from dtinterp.equivalence.swaps.chosen_frames import ChosenFrames
from dtinterp.foundation.artefacts.artefact import Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "class history"
SIDES = ("n_steps", "n_distinct")


def save_history(path: Path, found: History, *, parents: Sequence[Artefact], replace: bool = False) -> Artefact:
    """Write the history to the folder `path`; `parents` are the models and the demonstrations.

    Raises `UserError` where `path` exists and `replace` is not given.
    """
    content = Content(
        kind=ARTEFACT_KIND,
        config={"env_id": found.env_id, "history": asdict(found.config)},
        tensors={
            "frame_id": found.chosen.frame_id,
            "n_visits": found.chosen.n_visits,
            "label": found.label,
            "together_since": found.together_since(),
        },
        metrics={
            **{name: getattr(found.chosen, name) for name in SIDES},
            "moments": [asdict(moment) for moment in found.moments],
        },
    )
    return write_artefact(path, content, parents=parents, seed=found.config.seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_history(path: Path) -> History:
    """Read the history in the folder `path`; raises `UserError` where it is missing, damaged or of another schema."""
    artefact = read_artefact(path, kind=ARTEFACT_KIND)
    tensors, metrics = artefact.tensors, artefact.manifest.metrics
    sides = {name: TypeAdapter(int).validate_python(metrics[name]) for name in SIDES}
    return History(
        env_id=str(artefact.config["env_id"]),
        config=TypeAdapter(HistoryConfig).validate_python(artefact.config["history"]),
        chosen=ChosenFrames(tensors["frame_id"], tensors["n_visits"], **sides),
        moments=TypeAdapter(tuple[HistoryPoint, ...]).validate_python(metrics["moments"]),
        label=tensors["label"],
    )
