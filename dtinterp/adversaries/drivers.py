"""What drives what, layer by layer: the features that move a target, then those that move these, down to the frames.

At a site, a feature that is active at some frame is credited with what it adds to the target to first order,

    attribution = activation · gradient of the target along the feature's direction

The largest are then checked: the feature is taken out of the residual stream there, all that follows is computed anew,
and the target falls by its effect. Each driver found so becomes the target at the next site below. How well attribution
ranks what the check measures is said beside them, as are features that were not picked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.stats import rankdata
from torch import Tensor

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, slots_at, splice
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.adversaries.objectives.objective import LogitObjective
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.foundation.errors import UserError

N_CHECKED = 64
"""Active features of a site, at most, whose effect is measured."""


@dataclass(frozen=True)
class FeatureAt:
    """A dictionary's feature at one frame of a window."""

    site: str
    frame: int
    feature: int

    @property
    def title(self) -> str:
        """Name it, such as `feature 97 at hook_obs_embed of frame 0`."""
        return f"feature {self.feature} at {self.site} of frame {self.frame}"


@dataclass(frozen=True)
class Driver:
    """A feature that drives a target."""

    target: str
    """what it drives, in words"""
    depth: int
    """0 where the target is the objective, else how many drivers lie between"""
    at: FeatureAt
    activation: float
    attribution: float
    effect: float
    """by how much the target falls where the feature is taken out"""


@dataclass(frozen=True)
class DriverRanking:
    """All active features of one site as drivers of one target."""

    target: str
    site: str
    drivers: tuple[Driver, ...]
    """those that matter most by attribution, in its order"""
    n_active: int
    rank_correlation: float | None
    """Spearman's, of the sizes of attribution and effect over the features checked; None below three"""
    other_effect: float
    """mean size of the effects of the features checked that are not among the drivers; 0 where all are"""


Target = LogitObjective | tuple[FeatureAt, Dictionary]


def driver_tree(
    window: EditedWindow, objective: LogitObjective, dictionaries: Sequence[Dictionary], *, n_drivers: int = 3
) -> tuple[DriverRanking, ...]:
    """Rank the drivers of an objective at the deepest site, then the drivers of these at the next, and so on.

    `dictionaries` go from the deepest site to the shallowest. Raises `UserError` where one of them reads what is no
    site of the stream between blocks, or they are not in that order.
    """
    _require_in_order(window, dictionaries)
    targets: list[tuple[str, Target]] = [(objective.title, objective)]
    found: list[DriverRanking] = []
    for depth, dictionary in enumerate(dictionaries):
        below: dict[FeatureAt, None] = {}
        for title, target in targets:
            ranking = _ranked(window, (title, target), dictionary, depth, n_drivers)
            found.append(ranking)
            below |= dict.fromkeys(driver.at for driver in ranking.drivers)
        targets = [(at.title, (at, dictionary)) for at in below]
    return tuple(found)


def _ranked(
    window: EditedWindow, named: tuple[str, Target], dictionary: Dictionary, depth: int, n_drivers: int
) -> DriverRanking:
    title, target = named
    at = torch.zeros(1, window.scene.n_real, dictionary.d_model, requires_grad=True)
    (gradient,) = torch.autograd.grad(_value(window, target, dictionary.site, at).sum(), at)
    with torch.no_grad():
        rows = _rows(window, dictionary.site)
        codes = encode_dense(dictionary, rows)  # real feature
        directions = dictionary.W_dec * dictionary.scale
        attribution = codes * (gradient[0] @ directions.T)
        order = attribution.abs().flatten().argsort(descending=True)[: min(N_CHECKED, int((codes > 0).sum()))]
        frame, feature = order // dictionary.width, order % dictionary.width
        removed = torch.zeros(len(order), *rows.shape)
        removed[torch.arange(len(order)), frame] = -codes[frame, feature, None] * directions[feature]
        original = _value(window, target, dictionary.site, torch.zeros_like(removed[:1]))
        effect = original - _value(window, target, dictionary.site, removed)
    credited = attribution[frame, feature]
    drivers = tuple(
        Driver(
            target=title,
            depth=depth,
            at=FeatureAt(dictionary.site, int(frame[row]), int(feature[row])),
            activation=float(codes[frame[row], feature[row]]),
            attribution=float(credited[row]),
            effect=float(effect[row]),
        )
        for row in range(min(n_drivers, len(order)))
    )
    others = effect[n_drivers:].abs()
    return DriverRanking(
        target=title,
        site=dictionary.site,
        drivers=drivers,
        n_active=int((codes > 0).sum()),
        rank_correlation=_rank_correlation(credited.abs(), effect.abs()),
        other_effect=float(others.mean()) if len(others) else 0.0,
    )


def _value(
    window: EditedWindow, target: Target, site: str, added: Float32[Tensor, "batch real d_model"]
) -> Float[Tensor, " batch"]:
    """Return the target with this added to the observations' rows at a site."""
    pads = added.new_zeros(len(added), window.scene.first_slot, added.shape[2])
    tokens = window.model.cfg.observation_tokens
    edit = splice(site, lambda rows: rows + torch.cat([pads, added], dim=1), tokens)
    nothing = torch.zeros(len(added), window.scene.n_real, window.model.cfg.d_model)
    if isinstance(target, LogitObjective):
        return target.of_logits(window, window.hooked(nothing, [edit])[:, -1])
    at, dictionary = target
    activation = window.caught(nothing, [at.site], hooks=[edit])[at.site]
    rows = slots_at(at.site, activation, tokens)[:, window.scene.first_slot + at.frame]
    return dictionary.centred(rows) @ dictionary.W_enc[:, at.feature] + dictionary.b_enc[at.feature]


def _rows(window: EditedWindow, site: str) -> Float32[Tensor, "real d_model"]:
    nothing = torch.zeros(1, window.scene.n_real, window.model.cfg.d_model)
    found = slots_at(site, window.caught(nothing, [site])[site], window.model.cfg.observation_tokens)
    return found[0, window.scene.first_slot :]


def _require_in_order(window: EditedWindow, dictionaries: Sequence[Dictionary]) -> None:
    sites = [OBSERVATION_EMBEDDING, *(f"blocks.{layer}.hook_resid_pre" for layer in range(window.model.cfg.n_layers))]
    named = [dictionary.site for dictionary in dictionaries]
    known = [sites.index(site) if site in sites else None for site in named]
    if None in known or known != sorted(set(known), key=lambda place: -(place or 0)):
        raise UserError(
            f"the dictionaries read {', '.join(named)}, expected sites from the deepest to the shallowest of "
            f"{', '.join(sites)}: give one a site, in that order."
        )


def _rank_correlation(one: Tensor, other: Tensor) -> float | None:
    if len(one) < 3 or not one.std() or not other.std():
        return None
    ranks = [rankdata(each.numpy()) for each in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])
