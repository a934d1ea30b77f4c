"""Trajectories become an artefact and back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from jaxtyping import Bool
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.artefact import JSON, Artefact, Content, read_artefact, write_artefact

KIND = "demonstrations"
COLUMNS = ("frames", "frame_id", "action", "reward", "length", "terminated", "sampler")
FACT_TABLE, FACT_ID = "fact_table", "fact_id"


def save_trajectories(
    path: Path, trajectories: Trajectories, *, parent: Artefact, seed: int, replace: bool = False
) -> Artefact:
    """Write trajectories collected from the agent `parent`, with their quality and their bytes per step as metrics.

    Facts are interned as frames are: few distinct rows occur.
    """
    fact_table, fact_id = torch.unique(trajectories.facts, dim=0, return_inverse=True)
    tensors = {name: getattr(trajectories, name) for name in COLUMNS}
    tensors |= {FACT_TABLE: fact_table, FACT_ID: fact_id.int()}
    content = Content(
        kind=KIND,
        config={field.name: getattr(trajectories, field.name) for field in fields(_Settings)},
        tensors=tensors,
        metrics={**quality(trajectories), "bytes_per_step": round(n_bytes(tensors) / trajectories.n_steps, 2)},
    )
    return write_artefact(path, content, parents=(parent,), seed=seed, replace=replace)


def load_trajectories(path: Path) -> tuple[Trajectories, Artefact]:
    """Read trajectories and their artefact. Raises `UserError` where there are none, or damaged ones."""
    artefact = read_artefact(path, kind=KIND)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    columns = {name: artefact.tensors[name] for name in COLUMNS}
    facts = artefact.tensors[FACT_TABLE][artefact.tensors[FACT_ID].long()]
    return Trajectories(**{**vars(settings), **columns}, facts=facts), artefact


def quality(trajectories: Trajectories) -> Mapping[str, JSON]:
    """Return counts, and for each sampler its mean return, mean length and share of rewarded episodes."""
    return {
        "n_steps": trajectories.n_steps,
        "n_episodes": trajectories.n_episodes,
        "n_distinct_frames": len(trajectories.frames),
        "by_sampler": {
            name: _fares(trajectories, trajectories.sampler == index)
            for index, name in enumerate(trajectories.samplers)
        },
    }


def n_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return what the tensors take on disk."""
    return sum(tensor.nbytes for tensor in tensors.values())


@dataclass(frozen=True)
class _Settings:
    env_id: str
    max_steps: int
    fact_names: tuple[str, ...]
    samplers: tuple[str, ...]


def _fares(trajectories: Trajectories, chosen: Bool[Tensor, " episode"]) -> Mapping[str, JSON]:
    if not chosen.any():
        return {"n_episodes": 0}
    returns = trajectories.episode_return[chosen]
    return {
        "n_episodes": int(chosen.sum()),
        "mean_return": round(returns.mean().item(), 4),
        "mean_length": round(trajectories.length[chosen].float().mean().item(), 2),
        "share_rewarded": round((returns > 0).float().mean().item(), 4),
    }
