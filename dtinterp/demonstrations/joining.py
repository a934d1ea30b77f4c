"""Mixtures: trajectories of several worlds over one table of frames, with the world of each episode."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Int8, Int16, Int32
from torch import Tensor

from dtinterp.demonstrations.trajectories import Mixture, Trajectories, mixture_name
from dtinterp.foundation.errors import UserError


def join(parts: Sequence[Trajectories], agents: Sequence[str] = ()) -> Trajectories:
    """Return all episodes, part after part; a frame that several parts show is stored once.

    Only the facts that all parts record are kept: a world that has no second door has nothing true to say of it. Parts
    of one world give trajectories of that world. `agents` names who acted in each part, empty where nobody knows: a
    sampler that two of them used in one world becomes two, `temperature=1 of NAME`. Raises `UserError` where there is
    nothing to join.
    """
    if len(parts) < 2:
        raise UserError(f"{len(parts)} demonstrations cannot be joined: give at least two.")
    if agents:
        parts = [replace(part, samplers=names) for part, names in zip(parts, _told_apart(parts, agents), strict=True)]
    frames, frame_id = _interned([part.frames for part in parts], [part.frame_id for part in parts])
    names = [name for name in parts[0].fact_names if all(name in part.fact_names for part in parts)]
    fact_table, fact_id = _interned([_facts(part, names) for part in parts], [part.fact_id for part in parts])
    samplers = list(dict.fromkeys(name for part in parts for name in part.samplers))
    env_ids = list(dict.fromkeys(env_id for part in parts for env_id in part.env_ids))
    world = torch.cat([_renumbered(part.world, part.env_ids, env_ids) for part in parts])
    return Trajectories(
        env_id=mixture_name(env_ids),
        max_steps=max(part.max_steps for part in parts),
        frames=frames,
        frame_id=frame_id,
        action=torch.cat([part.action for part in parts]),
        reward=torch.cat([part.reward for part in parts]),
        fact_table=fact_table,
        fact_id=fact_id,
        length=torch.cat([part.length for part in parts]),
        terminated=torch.cat([part.terminated for part in parts]),
        sampler=torch.cat([_renumbered(part.sampler, part.samplers, samplers) for part in parts]),
        fact_names=tuple(names),
        samplers=tuple(samplers),
        mixture=Mixture(tuple(env_ids), world) if len(env_ids) > 1 else None,
    )


def _told_apart(parts: Sequence[Trajectories], agents: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the names of each part's samplers, with the agent's where another one used the sampler in its world."""
    users: dict[tuple[str, str], set[str]] = {}
    for part, agent in zip(parts, agents, strict=True):
        for place in product(part.env_ids, part.samplers):
            users.setdefault(place, set()).add(agent)

    def named(name: str, part: Trajectories, agent: str) -> str:
        is_shared = any(len(users[env_id, name]) > 1 for env_id in part.env_ids)
        return f"{name} of {agent}" if is_shared and agent else name

    return [tuple(named(name, part, who) for name in part.samplers) for part, who in zip(parts, agents, strict=True)]


def _interned(tables: Sequence[Tensor], ids: Sequence[Int32[Tensor, " _"]]) -> tuple[Tensor, Int32[Tensor, " step"]]:
    """Return the distinct rows of all tables, and where the rows that ids pointed to are now."""
    if tables[0][0].numel() == 0:  # nothing is known of any row
        return tables[0][:1], torch.zeros(sum(map(len, ids)), dtype=torch.int32)
    rows, place = torch.unique(torch.cat(list(tables)), dim=0, return_inverse=True)
    placed = place.int().split([len(table) for table in tables])
    return rows, torch.cat([place_of[each.long()] for place_of, each in zip(placed, ids, strict=True)])


def _facts(part: Trajectories, names: Sequence[str]) -> Int16[Tensor, "situation fact"]:
    return part.fact_table[:, [part.fact_names.index(name) for name in names]]


def _renumbered(
    index: Int8[Tensor, " episode"], names: Sequence[str], all_names: Sequence[str]
) -> Int8[Tensor, " episode"]:
    return torch.tensor([all_names.index(name) for name in names], dtype=torch.int8)[index.long()]
