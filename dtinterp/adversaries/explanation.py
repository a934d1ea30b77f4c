"""Why an adversary works: the features that it moves, the parts through which it acts, and what undoes it.

What is put back is put back exactly: in the edited window, one feature's code, or the output of one head or MLP at all
tokens, takes the value that it has in the original window, and all that follows is computed anew.

    restored = (value with it put back − value of the edited window) / (value of the original − value of the edited)

1 undoes the adversary, 0 does nothing; parts that work together do not add up to 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.objectives.objective import LogitObjective
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.statistics import Interval, central
from dtinterp.model.policy import Hook

UNDONE = 0.9
"""Share restored at which an adversary counts as undone."""
DIRECT = "newest frame"
N_RANDOM = 50
"""Random sets of conduits that the path is held against."""
MOST_FEATURES = 12
"""Moved features that are listed, the most restoring first."""


@dataclass(frozen=True)
class MovedFeature:
    """A feature whose code an adversary changes at one frame."""

    frame: int
    feature: int
    before: float
    after: float
    restored: float
    """by this code alone put back"""


@dataclass(frozen=True)
class Conduit:
    """A head or an MLP, or the newest frame's embedding itself, which the logits read too."""

    name: str
    """such as `head 1.3`, layer and head, or `MLP 0`, or `DIRECT`"""
    restored: float
    """by its output alone put back"""


@dataclass(frozen=True)
class AdversaryExplanation:
    """What an adversary moves, and what puts it right."""

    edits: tuple[str, ...]
    original: float
    edited: float
    features: tuple[MovedFeature, ...]
    """the most restoring first; empty where no dictionary was given"""
    all_features: float | None
    """restored by the codes of all moved features at once: what the dictionary sees of the edit"""
    conduits: tuple[Conduit, ...]
    """all of them, the most restoring first"""
    path: tuple[str, ...]
    """conduits in that order, until together they restore `UNDONE`"""
    path_restored: float
    random_restored: Interval | None
    """by random sets of as many conduits as the path has; None where the path has all"""


def explain(
    window: EditedWindow,
    objective: LogitObjective,
    added: Float32[Tensor, "real d_model"],
    *,
    edits: Sequence[str],
    features: Dictionary | None,
    generator: torch.Generator,
) -> AdversaryExplanation:
    """Explain the adversary that adds these rows to the embeddings of a window's real observations."""
    value = _value_of(window, objective)
    original, edited = float(value(torch.zeros_like(added)[None], [])), float(value(added[None], []))

    def restored(values: Float[Tensor, " some"]) -> Float[Tensor, " some"]:
        return (values - edited) / (original - edited)

    moved, together = [], None
    if features is not None:
        moved, rows = _moved(window, added, features)
        found = restored(value(added - rows, [])).tolist() if len(rows) else []
        moved = [MovedFeature(*each, share) for each, share in zip(moved, found, strict=True)]
        together = float(restored(value((added - rows.sum(0))[None], [])))
    parts = _parts(window, added)

    def put_back(names: Sequence[str]) -> float:
        return float(restored(value(added[None], [parts[name] for name in names])))

    alone = {name: put_back([name]) for name in parts}
    path, path_restored = _path(alone, put_back)
    draws = [torch.randperm(len(parts), generator=generator)[: len(path)].tolist() for _ in range(N_RANDOM)]
    names = list(parts)
    is_all = len(path) == len(parts)
    shares = [] if is_all else [put_back([names[index] for index in draw]) for draw in draws]
    return AdversaryExplanation(
        edits=tuple(edits),
        original=original,
        edited=edited,
        features=tuple(sorted(moved, key=lambda each: -each.restored)[:MOST_FEATURES]),
        all_features=together,
        conduits=tuple(Conduit(name, share) for name, share in sorted(alone.items(), key=lambda each: -each[1])),
        path=path,
        path_restored=path_restored,
        random_restored=central(shares) if shares else None,
    )


Value = Callable[[Float32[Tensor, "batch real d_model"], Sequence[Hook]], Float[Tensor, " batch"]]


def _value_of(window: EditedWindow, objective: LogitObjective) -> Value:
    @torch.no_grad()
    def value(added: Float32[Tensor, "batch real d_model"], hooks: Sequence[Hook]) -> Float[Tensor, " batch"]:
        return objective.of_logits(window, window.hooked(added, hooks)[:, -1])

    return value


def _moved(
    window: EditedWindow, added: Float32[Tensor, "real d_model"], features: Dictionary
) -> tuple[list[tuple[int, int, float, float]], Float32[Tensor, "moved real d_model"]]:
    """Return frame, feature and codes of what moves, and what each of these moves adds to the embeddings."""
    rows = window.embedded
    before, after = encode_dense(features, rows), encode_dense(features, rows + added)  # real feature
    frame, feature = (before != after).nonzero().T
    change = (after - before)[frame, feature]
    found = torch.zeros(len(frame), *added.shape)
    found[torch.arange(len(frame)), frame] = change[:, None] * features.W_dec[feature] * features.scale
    codes = (before[frame, feature].tolist(), after[frame, feature].tolist())
    return list(zip(frame.tolist(), feature.tolist(), *codes, strict=True)), found


def _parts(window: EditedWindow, added: Float32[Tensor, "real d_model"]) -> dict[str, Hook]:
    """Return, by name, the hook that puts back what each head and MLP writes in the original window."""

    def without_direct(stream: Tensor, **_: object) -> Tensor:
        return torch.cat([stream[:, :-1], stream[:, -1:] - added[-1]], dim=1)

    nothing = torch.zeros(1, window.scene.n_real, window.model.cfg.d_model)
    found: dict[str, Hook] = {}
    for layer in range(window.model.cfg.n_layers):
        heads, mlp = f"blocks.{layer}.attn.hook_z", f"blocks.{layer}.hook_mlp_out"
        kept = window.caught(nothing, [heads, mlp])
        for head in range(window.model.cfg.n_heads):
            found[f"head {layer}.{head}"] = (heads, _of_head(kept[heads], head))
        found[f"MLP {layer}"] = (mlp, _whole(kept[mlp]))
    found[DIRECT] = (f"blocks.{window.model.cfg.n_layers - 1}.hook_resid_post", without_direct)
    return found


def _of_head(kept: Tensor, head: int) -> Callable[..., Tensor]:
    def put_back(activation: Tensor, **_: object) -> Tensor:
        activation = activation.clone()
        activation[:, :, head] = kept[:, :, head]
        return activation

    return put_back


def _whole(kept: Tensor) -> Callable[..., Tensor]:
    def put_back(activation: Tensor, **_: object) -> Tensor:
        return kept.expand_as(activation)

    return put_back


def _path(alone: dict[str, float], put_back: Callable[[Sequence[str]], float]) -> tuple[tuple[str, ...], float]:
    """Add conduits in the order of what they restore alone until all is undone."""
    path: list[str] = []
    share = 0.0
    for name in sorted(alone, key=lambda name: -alone[name]):
        path.append(name)
        share = put_back(path)
        if share >= UNDONE:
            break
    return tuple(path), share
