"""A decision transformer as a policy: it remembers the last slots and asks for a return."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.agents.items import FrameItems
from dtinterp.agents.policy import PAD_ACTION, Decision, Observation
from dtinterp.dataset.packing import distinct
from dtinterp.dataset.windows import Windows, blank_windows, padded
from dtinterp.model.network.transformer import DecisionTransformer

Hook = tuple[str, Callable[..., Tensor | None]]
"""Where to listen, and what to make of the activation there: called as `change(activation, hook=point)`, as
TransformerLens's `run_with_hooks` does. None leaves the activation as it is."""
HooksOf = Callable[[Windows], Sequence[Hook]]
"""The hooks for a run on just these windows, for a change that depends on which slots are real."""


def no_hooks(_: Windows) -> Sequence[Hook]:
    """Return nothing: the model is left alone."""
    return ()


@dataclass(frozen=True)
class WindowMemory:
    """The window that ends at the current step of each world."""

    windows: Windows
    """batch = world"""


class WindowPolicy:
    """Acts as the transformer does when asked for `target_return`, intact or with hooks that patch it.

    The return-to-go of a step is the target less the rewards since the episode began. Worlds that share a window are
    run once, so a hook must treat every window alike, whatever its row.
    """

    def __init__(
        self,
        model: DecisionTransformer,
        items: FrameItems,
        *,
        target_return: float,
        hooks: Sequence[Hook] = (),
        hooks_of: HooksOf = no_hooks,
    ) -> None:
        """Bind the model to the frames of the worlds it will act in."""
        self.model, self.items = model, items
        self.target_return, self.hooks, self.hooks_of = target_return, hooks, hooks_of

    def start(self, n_worlds: int) -> WindowMemory:
        """Return windows that are all padding."""
        return WindowMemory(blank_windows(n_worlds, self.model.cfg.n_slots))

    @torch.no_grad()
    def act(self, observation: Observation, memory: WindowMemory) -> Decision[WindowMemory]:
        """Push the observation into the window and return the logits of its last slot."""
        windows = self._push(observation, memory.windows)
        each = distinct(windows)
        items = self.items.table.to(self.model.W_obs.device)
        batch = each.windows.to(items.device)
        logits = self.model.run_with_hooks(batch, items, fwd_hooks=[*self.hooks, *self.hooks_of(batch)]).to(
            each.member.device
        )
        return Decision(logits[:, -1][each.member], WindowMemory(windows))

    def asked(self, observation: Observation, windows: Windows) -> Float32[Tensor, " world"]:
        """Return the return-to-go of this step; `windows` end at the step before."""
        return torch.where(observation.is_first, self.target_return, windows.rtg[:, -1] - observation.last_reward)

    def _push(self, observation: Observation, windows: Windows) -> Windows:
        begins, rtg = observation.is_first, self.asked(observation, windows)
        time = torch.where(begins, 0, windows.time[:, -1] + 1)
        acted = windows.action.clone()
        acted[:, -1] = observation.last_action

        def shifted(column: Tensor, newest: Tensor) -> Tensor:
            return torch.cat([column[:, 1:], newest[:, None]], dim=1)

        return padded(
            shifted(windows.mask & ~begins[:, None], torch.ones_like(begins)),
            rtg=shifted(windows.rtg, rtg),
            frame_id=shifted(windows.frame_id, observation.frame_id),
            action=shifted(acted, torch.full_like(time, PAD_ACTION)),
            time=shifted(windows.time, time),
        )
