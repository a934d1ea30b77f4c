"""Trajectories become an artefact and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Bool
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.demonstrations.trajectories import COLUMNS, Trajectories
from dtinterp.foundation.artefact import JSON, Artefact, Content, read_artefact, write_artefact

KIND = "demonstrations"


def save_trajectories(
    path: Path, trajectories: Trajectories, *, parent: Artefact, seed: int, replace: bool = False
) -> Artefact:
    """Write trajectories collected from the agent `parent`, with their quality as metrics."""
    content = Content(
        kind=KIND,
        config={
            "env_id": trajectories.env_id,
            "max_steps": trajectories.max_steps,
            "fact_names": trajectories.fact_names,
            "samplers": trajectories.samplers,
        },
        tensors={name: getattr(trajectories, name) for name in COLUMNS},
        metrics=quality(trajectories),
    )
    return write_artefact(path, content, parents=(parent,), seed=seed, replace=replace)


def load_trajectories(path: Path) -> tuple[Trajectories, Artefact]:
    """Read trajectories and their artefact. Raises `UserError` where they are missing, damaged, or no demonstrations."""
    artefact = read_artefact(path, kind=KIND)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    return Trajectories(**{**vars(settings), **artefact.tensors}), artefact


@dataclass(frozen=True)
class _Settings:
    env_id: str
    max_steps: int
    fact_names: tuple[str, ...]
    samplers: tuple[str, ...]


def quality(trajectories: Trajectories) -> Mapping[str, JSON]:
    """Return counts, the storage per step, and mean return and length (in steps) by sampler."""
    return {
        "n_steps": trajectories.n_steps,
        "n_episodes": trajectories.n_episodes,
        "n_distinct_frames": len(trajectories.frames),
        "bytes_per_step": round(trajectories.bytes_per_step, 2),
        "by_sampler": {
            name: _quality_of(trajectories, trajectories.sampler == index)
            for index, name in enumerate(trajectories.samplers)
        },
    }


def _quality_of(trajectories: Trajectories, is_chosen: Bool[Tensor, " episode"]) -> Mapping[str, JSON]:
    returns = trajectories.episode_return[is_chosen]
    if len(returns) == 0:
        return {"n_episodes": 0}
    return {
        "n_episodes": len(returns),
        "mean_return": round(returns.mean().item(), 4),
        "mean_length": round(trajectories.length[is_chosen].float().mean().item(), 2),
        "share_rewarded": round((returns > 0).float().mean().item(), 4),
    }
