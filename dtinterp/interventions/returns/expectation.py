"""Exact expected return of a model in a state graph, with no episode played."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, padded
from dtinterp.demonstrations.evaluate import Evaluation
from dtinterp.demonstrations.samplers import Greedy, Sampler, probabilities
from dtinterp.foundation.statistics import Interval
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import HooksOf, no_hooks
from environments.graph.evaluation import PAD, Expectation, SeenWindows, WindowFlow, evaluate_windows
from environments.graph.evaluation import WindowPolicy as SeenPolicy
from environments.graph.state_graph import StateGraph

BATCH = 1024
"""Windows per forward pass."""
TOGETHER = 512
"""Evaluations that go on side by side: enough to fill a forward pass, few enough to be held."""


@dataclass(frozen=True)
class Altered:
    """What is done to a model while it acts."""

    substitute: Int64[Tensor, " frame"] | None = None
    """frame i of the graph is shown to the model as frame `substitute[i]`, at every step"""
    hooks_of: HooksOf = no_hooks
    """the hooks under which it sees its windows"""


INTACT = Altered()


@dataclass(frozen=True)
class Bounds:
    """How far unlikely windows are followed."""

    n_followed: int
    """windows at one time, the likeliest"""
    tolerance: float
    """probability of the others above which nothing is followed any more"""


def expectation(
    model: DecisionTransformer,
    graph: StateGraph,
    sampler: Sampler,
    *,
    target_return: float,
    altered: Altered = INTACT,
    bounds: Bounds | None = None,
) -> Expectation:
    """Return what the model achieves when asked for `target_return` and its actions are drawn by `sampler`.

    Every world of a state graph pays at an episode's end only, so the return-to-go stays at the target. A sampler that
    leaves the policy in doubt at every step has too many windows to follow: then ValueError says so, or, with `bounds`,
    what was too unlikely to follow is left off and counted.
    """
    policy = decisions(model, graph, sampler, target_return=target_return, altered=altered)
    limits = {} if bounds is None else {"max_situations": bounds.n_followed, "tolerance": bounds.tolerance}
    return evaluate_windows(graph, policy, n_slots=model.cfg.n_slots, **limits)


def expectations(
    model: DecisionTransformer,
    graph: StateGraph,
    sampler: Sampler,
    substitutes: Sequence[Int64[Tensor, " frame"]],
    *,
    target_return: float,
) -> list[Expectation]:
    """Return `expectation` under each of `substitutes`, many at once: windows that look alike are asked about once."""
    policy = decisions(model, graph, sampler, target_return=target_return)
    found: list[Expectation] = []
    for start in range(0, len(substitutes), TOGETHER):
        part = [substitute.numpy() for substitute in substitutes[start : start + TOGETHER]]
        found += _side_by_side(graph, policy, part, n_slots=model.cfg.n_slots)
    return found


def _side_by_side(
    graph: StateGraph, policy: SeenPolicy, shown_as: Sequence[Int64[np.ndarray, " frame"]], *, n_slots: int
) -> list[Expectation]:
    flows = [WindowFlow(graph, n_slots=n_slots) for _ in shown_as]
    while going := [place for place, flow in enumerate(flows) if flow.goes_on]:
        seen = [flows[place].seen for place in going]
        frames = [
            np.where(each.frame_id == PAD, PAD, shown_as[place][each.frame_id])
            for place, each in zip(going, seen, strict=True)
        ]
        rows = np.column_stack([np.concatenate(frames), np.concatenate([each.action for each in seen])])
        distinct, which = np.unique(rows, axis=0, return_inverse=True)
        frame_id, action = np.split(distinct.astype(np.int32), 2, axis=1)
        chances = policy(SeenWindows(frame_id, action, seen[0].time))[which.reshape(-1)]
        ends = np.cumsum([len(each) for each in frames])
        for place, own in zip(going, np.split(chances, ends[:-1]), strict=True):
            flows[place].take(own)
    return [flow.expectation for flow in flows]


def frames_met(model: DecisionTransformer, graph: StateGraph, *, target_return: float) -> Int64[Tensor, " met"]:
    """Return the graph's frames that the model's own greedy play shows it, from any start, when asked for a return."""
    greedy, met = decisions(model, graph, Greedy(), target_return=target_return), set()

    def watched(seen: SeenWindows) -> Float64[np.ndarray, "window action"]:
        met.update(seen.frame_id[:, -1].tolist())
        return greedy(seen)

    evaluate_windows(graph, watched, n_slots=model.cfg.n_slots)
    return torch.tensor(sorted(met))


def decisions(
    model: DecisionTransformer,
    graph: StateGraph,
    sampler: Sampler,
    *,
    target_return: float,
    altered: Altered = INTACT,
) -> SeenPolicy:
    """Return how likely each action is in windows of the graph's frames."""
    items = encoded(torch.tensor(graph.frames), model.cfg.n_items).to(model.W_obs.device)

    @torch.no_grad()
    def policy(seen: SeenWindows) -> Float64[np.ndarray, "window action"]:
        windows = windows_of(seen, target_return=target_return)
        if altered.substitute is not None:
            windows = replace(windows, frame_id=torch.where(windows.mask, altered.substitute[windows.frame_id], 0))
        shown, place = windows.frame_id.unique(return_inverse=True)  # few of a world's frames are possible at one time
        placed, table = replace(windows, frame_id=place).to(items.device), items[shown.to(items.device)]
        parts = [placed[start : start + BATCH] for start in range(0, len(placed), BATCH)]
        logits = [model.run_with_hooks(part, table, fwd_hooks=[*altered.hooks_of(part)])[:, -1] for part in parts]
        chances = probabilities(sampler, torch.cat(logits).cpu()).double()
        return (chances / chances.sum(-1, keepdim=True)).numpy()

    return policy


def evaluation_of(expected: Expectation, *, max_steps: int) -> Evaluation:
    """Return an expectation as an evaluation without episodes: its intervals are bounds, and there is no doubt in them.

    What was not followed may have ended in any way, with any return from 0 to 1 and any length.
    """

    def at_least(value: float, scale: int = 1) -> Interval:
        return Interval(value, value, value + scale * expected.unfollowed, n=0)

    return Evaluation(
        success=at_least(expected.success),
        failure=at_least(expected.failure),
        timeout=at_least(expected.timeout),
        mean_return=at_least(expected.expected_return),
        mean_length=at_least(expected.steps, scale=max_steps),
    )


def windows_of(seen: SeenWindows, *, target_return: float) -> Windows:
    """Return what the graph's windows look like to a model: padded, timed, each action beside the frame it answers."""
    frame_id, came_by = torch.tensor(seen.frame_id).long(), torch.tensor(seen.action).long()
    n_slots = frame_id.shape[1]
    time = (seen.time - torch.arange(n_slots - 1, -1, -1)).expand_as(frame_id)
    answer = torch.cat([came_by[:, 1:], torch.full_like(came_by[:, :1], PAD)], dim=1)
    return padded(
        frame_id != PAD,
        rtg=target_return,
        frame_id=frame_id,
        action=torch.where(answer == PAD, PAD_ACTION, answer),
        time=time,
    )
