"""A model run on one window with changed observations: an edit adds a difference of item rows to an embedding."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, slots_at, splice
from dtinterp.adversaries.edits.observation_edit import EditTable
from dtinterp.adversaries.scene import Scene
from dtinterp.model.network.continuation import BATCH, Continuation, continuation
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.policy import Hook


@dataclass(frozen=True, eq=False)
class EditedWindow:
    """One window of a model; what is added to the embeddings of its real observations has one row for each of these."""

    model: DecisionTransformer
    scene: Scene

    @cached_property
    def items(self) -> Float32[Tensor, "real item"]:
        """The window's frames, as the model reads them."""
        return encoded(self.scene.frames, self.model.cfg.n_items)

    @cached_property
    def embedded(self) -> Float32[Tensor, "real d_model"]:
        """The embeddings of the window's frames."""
        with torch.no_grad():
            return (self.items @ self.model.W_obs).float()

    @cached_property
    def original(self) -> Float[Tensor, " action"]:
        """Return the logits of the window as it is."""
        with torch.no_grad():
            return self.model(self.scene.window, self.items)[0, -1]

    @torch.no_grad()
    def differences(self, table: EditTable) -> Float32[Tensor, "edit real d_model"]:
        """Return what each edit adds to the embeddings."""
        shape = table.frames.shape[:2]
        coded = encoded(table.frames.flatten(0, 1), self.model.cfg.n_items).unflatten(0, shape)
        return ((coded - self.items) @ self.model.W_obs).float()

    def logits(
        self, added: Float32[Tensor, "batch real d_model"], first: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch action"]:
        """Return the logits at the newest observation; before the real slot `first` nothing is added.

        What comes before it is computed once. Gradients pass.
        """
        found = added.new_empty(len(added), self.model.cfg.n_actions)
        for slot in first.unique().tolist():
            rows = (first == slot).nonzero()[:, 0]
            for part in rows.split(BATCH):
                found = found.index_copy(0, part, self._from[slot].with_added(added[part, slot:]))
        return found

    def rows(
        self, added: Float32[Tensor, "batch real d_model"], site: str, slot: int
    ) -> Float32[Tensor, "batch column"]:
        """Return the rows of a site at one real slot. Gradients pass."""
        if site == OBSERVATION_EMBEDDING:
            return self.embedded[slot] + added[:, slot]
        found = slots_at(site, self.caught(added, [site])[site], self.model.cfg.observation_tokens)
        return found[:, self.scene.first_slot + slot]

    def caught(
        self, added: Float32[Tensor, "batch real d_model"], sites: Sequence[str], hooks: Sequence[Hook] = ()
    ) -> dict[str, Tensor]:
        """Return the activations at some sites, of all tokens, with hooks in place. Gradients pass."""
        found: dict[str, Tensor] = {}

        def catch(activation: Tensor, hook: HookPoint) -> None:
            found[str(hook.name)] = activation

        self.hooked(added, [*hooks, *((site, catch) for site in sites)])
        return found

    def hooked(
        self, added: Float32[Tensor, "batch real d_model"], hooks: Sequence[Hook]
    ) -> Float[Tensor, "batch slot action"]:
        """Return the logits of whole windows with hooks in place. Gradients pass."""
        windows = self.scene.window[torch.zeros(len(added), dtype=torch.int64)]
        return self.model.run_with_hooks(windows, self.items, fwd_hooks=[self._adding(added), *hooks])

    def _adding(self, added: Float32[Tensor, "batch real d_model"]) -> Hook:
        """Return the hook that adds to the embeddings while the model runs on copies of the window."""
        pads = added.new_zeros(len(added), self.scene.first_slot, added.shape[2])
        return splice(
            OBSERVATION_EMBEDDING, lambda rows: rows + torch.cat([pads, added], 1), self.model.cfg.observation_tokens
        )

    @cached_property
    def _from(self) -> tuple[Continuation, ...]:
        """The window, ready to go on from each real slot."""
        slots = range(self.scene.first_slot, self.scene.window.n_slots)
        return tuple(continuation(self.model, self.scene.window, self.items, slot) for slot in slots)
