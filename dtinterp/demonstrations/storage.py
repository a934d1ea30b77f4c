"""Storage of trajectories, written in one go or as they are collected."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from dataclasses import replace as replace_parts
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from dtinterp.agents.policy import MemoryT
from dtinterp.demonstrations.collect import COLUMNS, Collection
from dtinterp.demonstrations.quality import quality
from dtinterp.demonstrations.trajectories import Trajectories, require_codes
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Draft, drafted
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside, content_of, read, save
from dtinterp.foundation.artefacts.growing import GrowingTensor
from dtinterp.foundation.jobs.interruption import noted_interruption

TABLES = ("frames", "fact_table")
"""What the columns point into."""
COLUMN_TYPES = {
    "frame_id": torch.int32,
    "fact_id": torch.int32,
    "action": torch.int8,
    "reward": torch.float32,
    "length": torch.int32,
    "terminated": torch.bool,
    "sampler": torch.int8,
}


def _measured(trajectories: Trajectories) -> Beside:
    """Return their quality, and what a step takes on disk."""
    stored = sum(getattr(trajectories, name).nbytes for name in (*TABLES, *COLUMNS))
    return Beside(metrics={**asdict(quality(trajectories)), "bytes_per_step": round(stored / trajectories.n_steps, 2)})


def _coded(trajectories: Trajectories) -> Trajectories:
    require_codes(trajectories.frames)
    return trajectories


TRAJECTORIES = ArtefactKind(
    "demonstrations",
    Trajectories,
    places={"mixture": "config"},
    tensors={"mixture": ""},
    beside=_measured,
    checked=_coded,
)


def save_trajectories(
    path: Path,
    trajectories: Trajectories,
    *,
    parent: Artefact | Sequence[Artefact] | None,
    seed: int,
    replace: bool = False,
    origin: Mapping[str, JSON] | None = None,
) -> Artefact:
    """Write trajectories, with their quality and their bytes per step as metrics.

    `parent` is the agent that they were collected from, or the demonstrations that they were joined from; None where
    they come from elsewhere, and `origin` says whence.
    """
    parents = () if parent is None else (parent,) if isinstance(parent, Artefact) else parent
    beside = Beside(metrics={} if origin is None else {"origin": origin})
    return save(path, trajectories, parents=parents, seed=seed, replace=replace, beside=beside)


def record_trajectories(
    path: Path,
    collection: Collection[MemoryT],
    generator: torch.Generator,
    *,
    parent: Artefact,
    seed: int,
    replace: bool = False,
) -> Artefact:
    """Collect demonstrations of the agent `parent` and write them as they come.

    Ctrl-C ends the collection, not its results: KeyboardInterrupt is raised, with a sentence, when what ended so far
    stands in its place as an artefact that says `complete: false`.
    """
    with drafted(path, replace=replace) as draft:
        trajectories = collection.trajectories(_grown(draft, collection, generator))
        is_complete = collection.n_steps_taken == collection.n_steps_asked
        counts = Beside(metrics={"complete": is_complete, "n_steps_asked": collection.n_steps_asked})
        content = content_of(trajectories, counts)
        tables = {name: content.tensors[name] for name in TABLES}  # the columns are there already
        artefact = draft.finish(replace_parts(content, tensors=tables), parents=(parent,), seed=seed)
    if not is_complete:
        raise KeyboardInterrupt(
            f"interrupted; {path} keeps the {trajectories.n_steps} steps of whole episodes that there were of the "
            f"{collection.n_steps_asked} asked for, and says that it is not complete."
        )
    return artefact


def load_trajectories(path: Path) -> tuple[Trajectories, Artefact]:
    """Map trajectories and read their artefact. Raises `UserError` where there are none, or damaged ones."""
    return read(path, TRAJECTORIES)


def _grown(draft: Draft, collection: Collection[MemoryT], generator: torch.Generator) -> Mapping[str, Tensor]:
    """Return the columns as they stand on the disk when the collection is over."""
    with ExitStack() as opened, noted_interruption() as interruption:
        columns = [
            opened.enter_context(closing(GrowingTensor(draft.folder, name, COLUMN_TYPES[name]))) for name in COLUMNS
        ]
        for part in collection.episodes(generator, interruption):
            for column in columns:
                column.append(getattr(part, column.name))
    if interruption.is_asked and columns[-1].n_rows == 0:
        raise KeyboardInterrupt("interrupted before any episode ended; nothing was kept.")
    return {column.name: load_file(column.file)[column.name] for column in columns}
