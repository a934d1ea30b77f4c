"""A report on the quality of trajectories."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

from dtinterp.demonstrations.coverage import has_facts_of, visited_states
from dtinterp.demonstrations.frame_table import ABSENT, FrameTable
from dtinterp.demonstrations.trajectories import Trajectories, episode_content
from dtinterp.foundation.statistics import Interval, wilson
from environments.graph.state_graph import StateGraph, state_graph
from environments.registration import SUPPORTED_IDS

EPISODES_AT_ONCE = 4096
"""Episodes whose steps are looked at together; the columns may be larger than memory."""


@dataclass(frozen=True)
class Lengths:
    """How long episodes are, in steps."""

    shortest: int
    median: int
    """of an even number of episodes the lower one"""
    longest: int


@dataclass(frozen=True)
class SamplerQuality:
    """What the episodes of one sampler came to; nothing but zeros where it gave none."""

    n_episodes: int
    n_steps: int = 0
    success: Interval | None = None
    """share of episodes that the world ended with a step that paid; Wilson interval"""
    mean_return: float | None = None
    mean_length: float | None = None
    """steps"""
    length: Lengths | None = None
    action_share: tuple[float, ...] = ()
    """how often each action was taken, by step"""


@dataclass(frozen=True)
class Quality:
    """What demonstrations are worth as data."""

    n_steps: int
    n_episodes: int
    n_distinct_episodes: int
    """different sequences of frames and actions; all others are duplicates"""
    n_distinct_frames: int
    n_reachable_frames: int | None
    """frames that the world's states show; None where its state graph is not known"""
    coverage: float | None
    """share of those that were seen"""
    n_states: int | None
    """states that the world can be in; None where its state graph is not known, or the episodes carry no facts"""
    state_coverage: float | None
    """share of those that the episodes passed through"""
    by_sampler: Mapping[str, SamplerQuality]


def quality(trajectories: Trajectories) -> Quality:
    """Judge trajectories as data; the coverage is held against the state graph, where the world has a known one."""
    graph = state_graph(trajectories.env_id) if trajectories.env_id in SUPPORTED_IDS else None
    visited = _visited(trajectories, graph)
    contents = episode_content(trajectories)
    return Quality(
        n_steps=trajectories.n_steps,
        n_episodes=trajectories.n_episodes,
        n_distinct_episodes=int(contents.max()) + 1 if len(contents) else 0,
        n_distinct_frames=len(trajectories.frames),
        n_reachable_frames=None if graph is None else len(graph.frames),
        coverage=None if graph is None else _share_seen(torch.tensor(graph.frames), trajectories.frames),
        n_states=None if visited is None else len(visited),
        state_coverage=None if visited is None else visited.double().mean().item(),
        by_sampler=_by_sampler(trajectories),
    )


def _by_sampler(trajectories: Trajectories) -> Mapping[str, SamplerQuality]:
    length = trajectories.length.long()
    returns = torch.segment_reduce(trajectories.reward, "sum", lengths=length, unsafe=True)
    last_reward = trajectories.reward[trajectories.first_step + length - 1]
    is_success = trajectories.terminated & (last_reward > 0)
    taken = _actions_taken(trajectories)
    return {
        name: _of_one(trajectories.sampler == index, length, returns, is_success=is_success, taken=taken[index])
        for index, name in enumerate(trajectories.samplers)
    }


def _of_one(
    chosen: Bool[Tensor, " episode"],
    length: Int64[Tensor, " episode"],
    returns: Float32[Tensor, " episode"],
    *,
    is_success: Bool[Tensor, " episode"],
    taken: Int64[Tensor, " action"],
) -> SamplerQuality:
    n_episodes = int(chosen.sum())
    if n_episodes == 0:
        return SamplerQuality(n_episodes=0)
    lengths = length[chosen]
    return SamplerQuality(
        n_episodes=n_episodes,
        n_steps=int(lengths.sum()),
        success=wilson(int(is_success[chosen].sum()), n_episodes),
        mean_return=round(returns[chosen].double().mean().item(), 4),
        mean_length=round(lengths.double().mean().item(), 2),
        length=Lengths(int(lengths.min()), int(lengths.median()), int(lengths.max())),
        action_share=tuple(round(share, 4) for share in (taken / taken.sum()).tolist()),
    )


def _actions_taken(trajectories: Trajectories) -> Int64[Tensor, "sampler action"]:
    """Return how often each action was taken under each sampler."""
    n_actions = int(trajectories.action.max()) + 1 if trajectories.n_steps else 0
    taken = torch.zeros(len(trajectories.samplers) * n_actions, dtype=torch.int64)
    for episodes in torch.arange(trajectories.n_episodes).split(EPISODES_AT_ONCE):
        length = trajectories.length[episodes].long()
        begin = int(trajectories.first_step[episodes[0]])
        action = trajectories.action[begin : begin + int(length.sum())].long()
        sampler = torch.repeat_interleave(trajectories.sampler[episodes].long(), length)
        taken += torch.bincount(sampler * n_actions + action, minlength=len(taken))
    return taken.reshape(len(trajectories.samplers), n_actions)


def _visited(trajectories: Trajectories, graph: StateGraph | None) -> Bool[Tensor, " state"] | None:
    return visited_states(trajectories, graph) if graph and has_facts_of(trajectories, graph) else None


def _share_seen(reachable: UInt8[Tensor, "frame view view 3"], frames: UInt8[Tensor, "seen view view 3"]) -> float:
    return int((FrameTable(frames).find(reachable) != ABSENT).sum()) / len(reachable)
