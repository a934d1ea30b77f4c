"""A model in a state graph becomes what it earns on average, exactly, with no episode played."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows
from dtinterp.demonstrations.samplers import Sampler, probabilities
from dtinterp.model.policy import HooksOf, no_hooks
from dtinterp.model.transformer import DecisionTransformer
from environments.graph.evaluation import PAD, Expectation, SeenWindows, evaluate_windows
from environments.graph.state_graph import StateGraph
from environments.vocabulary import one_hot


def expectation(
    model: DecisionTransformer,
    graph: StateGraph,
    sampler: Sampler,
    *,
    target_return: float,
    substitute: Int64[Tensor, " frame"] | None = None,
    hooks_of: HooksOf = no_hooks,
) -> Expectation:
    """Return what the model earns when asked for `target_return` and its actions are drawn by `sampler`.

    With `substitute`, frame i of the graph is shown to the model as frame `substitute[i]`, at every step; `hooks_of`
    returns the hooks under which it sees its windows. Every world of a state graph pays at an episode's end only, so
    the return-to-go stays at the target. A sampler that leaves the policy in doubt at every step has too many windows
    to follow: then ValueError says so.
    """
    items = one_hot(torch.tensor(graph.frames))

    @torch.no_grad()
    def policy(seen: SeenWindows) -> Float64[np.ndarray, "window action"]:
        windows = windows_of(seen, target_return=target_return)
        if substitute is not None:
            windows = replace(windows, frame_id=torch.where(windows.mask, substitute[windows.frame_id], 0))
        shown, place = windows.frame_id.unique(return_inverse=True)  # few of a world's frames are possible at one time
        shown_windows = replace(windows, frame_id=place)
        logits = model.run_with_hooks(shown_windows, items[shown], fwd_hooks=[*hooks_of(shown_windows)])
        chances = probabilities(sampler, logits[:, -1]).double()
        return (chances / chances.sum(-1, keepdim=True)).numpy()

    return evaluate_windows(graph, policy, n_slots=model.cfg.n_slots)


def windows_of(seen: SeenWindows, *, target_return: float) -> Windows:
    """Return what the graph's windows look like to a model: padded, timed, each action beside the frame it answers."""
    frame_id, came_by = torch.tensor(seen.frame_id).long(), torch.tensor(seen.action).long()
    mask = frame_id != PAD
    n_slots = frame_id.shape[1]
    time = (seen.time - torch.arange(n_slots - 1, -1, -1)).expand_as(frame_id)
    answer = torch.cat([came_by[:, 1:], torch.full_like(came_by[:, :1], PAD)], dim=1)
    return Windows(
        rtg=torch.where(mask, target_return, 0.0),
        frame_id=torch.where(mask, frame_id, 0),
        action=torch.where(answer == PAD, PAD_ACTION, answer),
        time=torch.where(mask, time, 0),
        mask=mask,
        step=torch.full_like(frame_id, -1),
    )
