"""Decisions under an edit at many doses in many windows, what the edit leaves untouched computed once.

An edit of the residual stream at a token changes nothing before that token, and nothing in the blocks before its own.
So the stream that enters its block, and the keys and values of the tokens before it, are computed once for all doses;
a dose costs only the tokens from the edited one on. Edits anywhere else run as hooks, doses and windows in few batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, between_blocks
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.intervene import hooks, made
from dtinterp.interventions.slots import ABSENT, tokens_of
from dtinterp.model.network.cached_block import KeysAndValues, fan_out, keys_and_values
from dtinterp.model.network.transformer import DecisionTransformer

TOGETHER = 512
"""Windows times doses in a forward pass, about: on a CPU larger batches fall out of its cache."""
WINDOWS = 128
"""Windows whose untouched part is held at a time."""


def n_doses_of(edits: Sequence[Dosed]) -> int:
    """Return how many doses edits have together, in step. Raises `UserError` where sweeps are of different lengths."""
    lengths = {each.n_doses for each in edits} - {1}
    if len(lengths) > 1:
        raise UserError(
            f"the edits sweep over {' and '.join(map(str, sorted(lengths)))} doses, expected equally many: sweeps go "
            "in step, and an edit with one value holds at all doses."
        )
    return next(iter(lengths), 1)


@torch.no_grad()
def sweep(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], edits: Sequence[Dosed]
) -> Float32[Tensor, "dose window action"]:
    """Return the logits of each window's last decision under the edits, at each dose.

    Raises `UserError` where an edit means nothing in the model.
    """
    n_doses = n_doses_of(edits)
    logits = torch.empty(n_doses, len(windows), model.cfg.n_actions)
    for chosen in torch.arange(len(windows)).split(WINDOWS):
        shown = windows[chosen]
        own = [each.of_windows(chosen) for each in edits]
        logits[:, chosen] = _swept(model, shown, items, own, n_doses).cpu()
    return logits


def _swept(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    edits: Sequence[Dosed],
    n_doses: int,
) -> Float32[Tensor, "dose window action"]:
    if _is_shareable(model, edits):
        return _shared(model, windows, items, edits[0])
    parts = []
    for doses in _portions(n_doses, len(windows)):
        tiled = windows[torch.arange(len(windows)).repeat(doses.stop - doses.start)]
        changes = [made(each, doses, len(windows)) for each in edits]
        found = model.run_with_hooks(tiled, items, fwd_hooks=[*hooks(model, tiled, changes)])[:, -1]
        parts.append(found.unflatten(0, (-1, len(windows))))
    return torch.cat(parts)


def _portions(n_doses: int, n_windows: int) -> Iterator[slice]:
    """Yield doses that fit into a forward pass together."""
    at_once = max(1, TOGETHER // n_windows)
    for start in range(0, n_doses, at_once):
        yield slice(start, min(start + at_once, n_doses))


def _is_shareable(model: DecisionTransformer, edits: Sequence[Dosed]) -> bool:
    """Whether all that is edited is the stream between blocks, at one place, and pads are nowhere attended to."""
    if len(edits) != 1 or model.cfg.attend_to_padding or model.is_listened_to():
        return False
    site, token = edits[0].at.site, edits[0].at.token
    return site in between_blocks(model) and (site != OBSERVATION_EMBEDDING or token == "observation")


@dataclass(frozen=True)
class _Stem:
    """Windows whose edited tokens begin at the same place, up to there."""

    model: DecisionTransformer
    layer: int
    """the block before which the stream is edited; the number of blocks for the stream after the last"""
    streams: Sequence[Float[Tensor, "window token d_model"]]
    """what that block and each later one read, and then what comes out of the last"""
    past: Sequence[KeysAndValues]
    """of the tokens before the edited one, in each of these blocks"""
    allowed: Bool[Tensor, "window remaining key"]
    """what the tokens from the edited one on attend to"""
    is_edited: Bool[Tensor, "window remaining"]
    there: Float32[Tensor, "row d_model"]
    """the rows that are edited: of the stream, or of the embedding that is part of it"""

    def logits(self, edit: Edit, n_doses: int) -> Float32[Tensor, "dose window action"]:
        """Return the logits of the last decision; the edit's windows are all of these at each dose."""
        blocks, remaining = self.model.layers[self.layer :], self.allowed.shape[1]
        x = self.streams[0][:, -remaining:].repeat(n_doses, 1, 1)  # dose-window remaining d_model
        is_edited, there = self.is_edited.repeat(n_doses, 1), self.there.repeat(n_doses, 1)
        x[is_edited] += edit.of_rows(is_edited.nonzero()[:, 0]).apply(there) - there
        x = x.unflatten(0, (n_doses, -1))  # dose window remaining d_model
        for block, past in zip(blocks, self.past, strict=True):
            queries = slice(-1, None) if block is blocks[-1] else slice(None)
            x = fan_out(block, x, past, allowed=self.allowed, queries=queries)
        return _decided(self.model, x.flatten(0, 1)).unflatten(0, (n_doses, -1))


def _shared(
    model: DecisionTransformer, windows: Windows, items: Float32[Tensor, "frame item"], edit: Dosed
) -> Float32[Tensor, "dose window action"]:
    """Return what `sweep` does of an edit of the stream, windows together whose edited tokens begin together."""
    layer = between_blocks(model).index(edit.at.site) // 2
    allowed, streams, x = model.allowed(windows.mask), [], model.tokens(windows, items)
    for block in model.layers:
        streams.append(x)
        x = block(x, allowed, slice(None))
    streams = [*streams, x][layer:]
    logits = _decided(model, x).expand(edit.n_doses, -1, -1).clone()
    is_edited = _edited_tokens(model, windows, edit)
    begins = torch.where(is_edited.any(dim=1), is_edited.int().argmax(dim=1), ABSENT)
    for token in begins[begins != ABSENT].unique().tolist():
        own = (begins == token).nonzero()[:, 0]
        stem = _Stem(
            model,
            layer,
            [each[own] for each in streams],
            [
                keys_and_values(block, block.ln1.fused(each[own, :token]))
                for block, each in zip(model.layers[layer:], streams, strict=False)
            ],
            allowed[own, token:],
            is_edited[own, token:],
            _edited_rows(model, windows[own], items, edit, streams[0][own][is_edited[own]]),
        )
        mine = edit.of_windows(own)
        for doses in _portions(edit.n_doses, len(own)):
            logits[doses, own] = stem.logits(mine.edit(doses, len(own)), doses.stop - doses.start)
    return logits


def _edited_tokens(model: DecisionTransformer, windows: Windows, edit: Dosed) -> Bool[Tensor, "window token"]:
    tokens, chosen = tokens_of(model.cfg, edit.at.token), edit.at.slots(windows)
    is_edited = torch.zeros(len(windows), windows.n_slots * model.cfg.tokens_per_slot - 1, dtype=torch.bool)
    is_edited[:, tokens] = chosen[:, : is_edited[:, tokens].shape[1]]
    return is_edited


def _edited_rows(
    model: DecisionTransformer,
    windows: Windows,
    items: Float32[Tensor, "frame item"],
    edit: Dosed,
    stream: Float32[Tensor, "row d_model"],
) -> Float32[Tensor, "row d_model"]:
    """Return the rows that an edit reads: those of the stream, or of the embedding before the time is added."""
    if edit.at.site != OBSERVATION_EMBEDDING:
        return stream
    return (items[windows.frame_id[edit.at.slots(windows)]] @ model.W_obs).float()


def _decided(model: DecisionTransformer, x: Float[Tensor, "window token d_model"]) -> Float32[Tensor, "window action"]:
    """Return the logits of the last token."""
    return functional.linear(model.ln_final.fused(x[:, -1:]), model.W_U.T, model.b_U)[:, 0]
