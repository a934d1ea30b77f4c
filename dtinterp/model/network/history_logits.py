"""Logits of the decision at each of very many histories, what they have in common computed once.

A history adds three tokens to the one before it: its action, the return asked for, and what was then shown. Nothing
before them changes, so the keys and values of a history are computed once for all that goes on from it. Depth first,
in small batches, memory stays flat, however many histories there are.
"""

from dataclasses import dataclass
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from dtinterp.dataset.packing import distinct
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.model.network.cached_block import KeysAndValues, pass_on
from dtinterp.model.network.hooks_active import is_listened_to
from dtinterp.model.network.prefix_tree import PlacedHistories, PrefixTree, subtrees
from dtinterp.model.network.transformer import DecisionTransformer

BATCH = 256
"""Histories per forward pass, about."""

IN_A_PIECE = 50_000
"""Histories in a piece of work, about; one that is interrupted loses no more."""


@dataclass(frozen=True)
class Asked:
    """A model asked for a return at every slot."""

    model: DecisionTransformer
    items: Float32[Tensor, "frame item"]
    """the coded frame table"""
    target_return: float

    @property
    def is_shareable(self) -> bool:
        """Whether a token comes to the same wherever in the window it stands, and nobody listens to most of them."""
        cfg = self.model.cfg
        return not (cfg.position_embedding or cfg.attend_to_padding or is_listened_to(self.model))


def history_logits(
    asked: Asked, histories: PlacedHistories, *, cache: JobCache = NO_CACHE
) -> Float32[Tensor, "history action"]:
    """Return the logits of the action at each history, as the model gives them for its window.

    Histories that show the same are computed once. Where places in the window count, pads are attended to, a hook
    listens, or a history has more steps than the window, each distinct window is computed whole.
    """
    parts = list(subtrees(histories.tree, IN_A_PIECE))
    jobs = {f"{number:06d}": part.tree for number, part in enumerate(parts)}
    pieces = cache.done("following histories", jobs, partial(_followed, asked))
    logits = torch.empty(len(histories.tree), asked.model.cfg.n_actions)
    for part, piece in zip(parts, pieces, strict=True):
        logits[part.node[part.n_above :]] = piece["logits"][part.n_above :]
    return logits[histories.node]


@torch.no_grad()
def _followed(asked: Asked, tree: PrefixTree) -> dict[str, Tensor]:
    """Return the logits at each history of a tree."""
    logits = torch.empty(len(tree), asked.model.cfg.n_actions)
    n_shared = min(asked.model.cfg.n_slots, len(tree.n_at)) if asked.is_shareable else 0
    if n_shared:
        _Descent(asked, tree, n_shared - 1, logits).begin()
    for time in range(n_shared, len(tree.n_at)):
        rows = tree.at(time)
        logits[rows] = _by_window(asked, tree, torch.arange(rows.start, rows.stop), time)
    return {"logits": logits}


def _by_window(
    asked: Asked, tree: PrefixTree, node: Int64[Tensor, " node"], time: int
) -> Float32[Tensor, "node action"]:
    n_slots = asked.model.cfg.n_slots
    each = distinct(tree.windows(node, time=time, n_slots=n_slots, target_return=asked.target_return))
    parts = [each.windows[start : start + BATCH] for start in range(0, len(each.windows), BATCH)]
    device = asked.items.device
    return torch.cat([asked.model(part.to(device), asked.items)[:, -1].cpu() for part in parts])[each.member]


@dataclass(frozen=True)
class _Held:
    """Histories of one time, with what the blocks hold of all their tokens."""

    node: Int64[Tensor, " node"]
    layers: list[KeysAndValues]


@dataclass(frozen=True)
class _Descent:
    """Goes through a tree depth first and fills in the logits."""

    asked: Asked
    tree: PrefixTree
    last_time: int
    logits: Float32[Tensor, "node action"]

    def begin(self) -> None:
        """Go on from nothing to the histories that begin, and from there on."""
        cfg = self.asked.model.cfg
        nothing = torch.empty(1, cfg.n_heads, 0, cfg.d_head, device=self.asked.items.device)
        past = [KeysAndValues(nothing, nothing)] * cfg.n_layers
        for children in torch.arange(self.tree.n_at[0]).split(BATCH):
            self._reach(children[None], past, 0)

    def _go_on(self, held: _Held, time: int) -> None:
        """Reach what goes on from these histories, which stand in order of how many that are."""
        counts, n_parents = self.tree.n_children[held.node].unique_consecutive(return_counts=True)
        first = 0
        for count, n in zip(counts.tolist(), n_parents.tolist(), strict=True):
            at_once, last = max(1, BATCH // count), first + n
            for start in range(first, last, at_once):
                rows = slice(start, min(start + at_once, last))
                children = self.tree.first_child[held.node[rows]][:, None] + torch.arange(count)  # parent child
                self._reach(children, [layer[rows] for layer in held.layers], time)
            first = last

    def _reach(self, children: Int64[Tensor, "parent child"], past: list[KeysAndValues], time: int) -> None:
        """Compute the new tokens of histories whose parents' are known, and go on from them."""
        model, (n_parents, n_family) = self.asked.model, children.shape
        x = self._new_tokens(children.flatten(), time)
        n_new = x.shape[1]
        x = rearrange(x, "(parent child) new d_model -> parent (child new) d_model", parent=n_parents)
        before = torch.ones(n_family * n_new, past[0].k.shape[2], dtype=torch.bool)
        own = torch.block_diag(*[torch.ones(n_new, n_new).tril()] * n_family).bool()
        allowed = torch.cat([before, own], dim=1).to(x.device)
        held = []
        for layer, (block, known) in enumerate(zip(model.layers, past, strict=True)):
            is_last = layer == len(past) - 1
            queries = slice(n_new - 1, None, n_new) if is_last else slice(None)
            passed = pass_on(block, x, known, allowed=allowed, queries=queries)
            x, held = passed.x, [*held, passed.held]
        logits = functional.linear(model.ln_final.fused(x), model.W_U.T, model.b_U)  # parent child action
        self.logits[children] = logits.float().cpu()
        if time < self.last_time and self.tree.n_children[children].any():
            self._go_on(self._grown(children, past, held), time + 1)

    def _grown(
        self, children: Int64[Tensor, "parent child"], past: list[KeysAndValues], new: list[KeysAndValues]
    ) -> _Held:
        """Return what is held of those children that something goes on from: their parents' tokens, and their own."""
        n_children = self.tree.n_children[children.flatten()]
        order = n_children.argsort(stable=True)
        order = order[n_children[order] > 0]
        parent, place = (order // children.shape[1]).to(new[0].k.device), order.to(new[0].k.device)
        own = [layer.each(children.shape[1])[place] for layer in new]
        grown = [layer[parent].followed_by(added) for layer, added in zip(past, own, strict=True)]
        return _Held(children.flatten()[order], grown)

    def _new_tokens(self, node: Int64[Tensor, " node"], time: int) -> Float[Tensor, "node new d_model"]:
        """Return the residual stream that the first block reads at what is new in each history."""
        n_slots = min(time + 1, 2)
        windows = self.tree.windows(node, time=time, n_slots=n_slots, target_return=self.asked.target_return)
        tokens = self.asked.model.tokens(windows.to(self.asked.items.device), self.asked.items)
        return tokens[:, (self.asked.model.cfg.tokens_per_slot - 1) * (n_slots - 1) :]
