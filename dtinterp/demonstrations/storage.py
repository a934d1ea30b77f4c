"""Trajectories become an artefact, in one go or as they are collected, and back."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file
from torch import Tensor

from dtinterp.agents.policy import MemoryT
from dtinterp.demonstrations.collect import COLUMNS, Collection
from dtinterp.demonstrations.quality import quality
from dtinterp.demonstrations.trajectories import Mixture, Trajectories, require_codes
from dtinterp.foundation.artefacts.artefact import (
    JSON,
    Artefact,
    Content,
    Draft,
    drafted,
    read_artefact,
    write_artefact,
)
from dtinterp.foundation.artefacts.growing import GrowingTensor
from dtinterp.foundation.artefacts.soundness import understood
from dtinterp.foundation.jobs.interruption import noted_interruption

KIND = "demonstrations"
ENV_IDS, WORLD = "env_ids", "world"
"""Where an artefact has the worlds of a mixture, and the world of each of its episodes."""
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
    tensors = {name: getattr(trajectories, name) for name in (*TABLES, *COLUMNS)}
    if trajectories.mixture is not None:
        tensors[WORLD] = trajectories.mixture.world
    content = Content(
        KIND,
        _config(trajectories),
        tensors,
        {**_metrics(trajectories), **({} if origin is None else {"origin": origin})},
    )
    parents = () if parent is None else (parent,) if isinstance(parent, Artefact) else parent
    return write_artefact(path, content, parents=parents, seed=seed, replace=replace)


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
        counts = {"complete": is_complete, "n_steps_asked": collection.n_steps_asked}
        tables = {name: getattr(trajectories, name) for name in TABLES}
        content = Content(KIND, _config(trajectories), tensors=tables, metrics={**_metrics(trajectories), **counts})
        artefact = draft.finish(content, parents=(parent,), seed=seed)
    if not is_complete:
        raise KeyboardInterrupt(
            f"interrupted; {path} keeps the {trajectories.n_steps} steps of whole episodes that there were of the "
            f"{collection.n_steps_asked} asked for, and says that it is not complete."
        )
    return artefact


@understood(KIND)
def load_trajectories(path: Path) -> tuple[Trajectories, Artefact]:
    """Map trajectories and read their artefact. Raises `UserError` where there are none, or damaged ones."""
    artefact = read_artefact(path, kind=KIND)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    tensors = {name: artefact.tensors[name] for name in (*TABLES, *COLUMNS)}
    env_ids = TypeAdapter(tuple[str, ...]).validate_python(artefact.config.get(ENV_IDS, ()))
    mixture = Mixture(env_ids, artefact.tensors[WORLD]) if env_ids else None
    require_codes(tensors["frames"])
    return Trajectories(**{**vars(settings), **tensors, "mixture": mixture}), artefact


def n_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return what the tensors take on disk."""
    return sum(tensor.nbytes for tensor in tensors.values())


@dataclass(frozen=True)
class _Settings:
    env_id: str
    max_steps: int
    fact_names: tuple[str, ...]
    samplers: tuple[str, ...]


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


def _config(trajectories: Trajectories) -> Mapping[str, JSON]:
    settings = {field.name: getattr(trajectories, field.name) for field in fields(_Settings)}
    return settings if trajectories.mixture is None else {**settings, ENV_IDS: list(trajectories.env_ids)}


def _metrics(trajectories: Trajectories) -> Mapping[str, JSON]:
    stored = n_bytes({name: getattr(trajectories, name) for name in (*TABLES, *COLUMNS)})
    return {**asdict(quality(trajectories)), "bytes_per_step": round(stored / trajectories.n_steps, 2)}
