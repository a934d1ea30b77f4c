"""Facts of the world: which of them each feature tells, and which all visits of some frames share."""

import torch
from jaxtyping import Bool, Float32, Int16, Int64
from scipy.stats import rankdata
from torch import Tensor

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.table import Alignment, FactValue
from dtinterp.foundation.errors import UserError

FEATURES_AT_ONCE = 64
"""Activations are ranked in blocks of features, since ranks take eight bytes each."""


def align(
    value: Float32[Tensor, "row feature"], facts: Int16[Tensor, "row fact"], fact_names: tuple[str, ...]
) -> Alignment:
    """Return how each feature goes with every value of every fact that holds in some rows and not in all.

    `Alignment` gives the formulas. Raises `UserError` where no fact varies.
    """
    fact_values = _varying(facts, fact_names)
    column = {name: place for place, name in enumerate(fact_names)}
    holds = torch.stack([facts[:, column[each.fact]] == each.value for each in fact_values], dim=1)  # row fact_value
    elsewhere = holds.roll(len(holds) // 2, dims=0)
    blocks = value.split(FEATURES_AT_ONCE, dim=1)
    is_active = value != 0
    return Alignment(
        fact_values=fact_values,
        correlation=torch.cat([_correlation(block, holds) for block in blocks]),  # feature fact_value
        auroc=torch.cat([auroc_of(block, holds) for block in blocks]),  # feature fact_value
        n_both=(is_active.float().T @ holds.float()).long(),
        n_active=is_active.sum(dim=0),
        n_true=holds.sum(dim=0),
        n_rows=len(value),
        control=torch.cat([_correlation(block, elsewhere).abs().amax(dim=1) for block in blocks]),
    )


def _varying(facts: Int16[Tensor, "row fact"], fact_names: tuple[str, ...]) -> tuple[FactValue, ...]:
    if not fact_names:
        raise UserError(
            "these demonstrations carry no facts to describe features by: give some that were collected here."
        )
    seen = [(name, column.unique().tolist()) for name, column in zip(fact_names, facts.T, strict=True)]
    found = tuple(FactValue(name, value) for name, values in seen if len(values) > 1 for value in values)
    if not found:
        raise UserError(
            f"No fact varies over the {len(facts)} rows: describe features on rows from more than one state."
        )
    return found


def _correlation(
    value: Float32[Tensor, "row feature"], holds: Bool[Tensor, "row fact_value"]
) -> Float32[Tensor, "feature fact_value"]:
    spread, truth = value.double() - value.double().mean(dim=0), holds.double() - holds.double().mean(dim=0)
    length = spread.norm(dim=0)[:, None] * truth.norm(dim=0)  # feature fact_value
    return torch.where(length > 1e-9, (spread.T @ truth) / length.clamp_min(1e-300), 0.0).float()


def auroc_of(
    value: Float32[Tensor, "row feature"], holds: Bool[Tensor, "row fact_value"]
) -> Float32[Tensor, "feature fact_value"]:
    """Return U / (n_true n_false), with U from the sum of the ranks of the true rows (Mann & Whitney 1947)."""
    rank = torch.from_numpy(rankdata(value.cpu().numpy(), axis=0)).to(value.device)  # row feature
    n_true = holds.sum(dim=0).double()
    rank_sum = rank.T @ holds.double()  # feature fact_value
    return ((rank_sum - n_true * (n_true + 1) / 2) / (n_true * (len(holds) - n_true))).float()


def shared_facts(trajectories: Trajectories, frame_id: Int64[Tensor, " member"]) -> tuple[FactValue, ...]:
    """Return the facts that have one value at all steps that show one of the frames, in the facts' order.

    The steps are those of the demonstrations: a fact may be shared by their choice of ways, and not by necessity.
    """
    is_member = torch.zeros(len(trajectories.frames), dtype=torch.bool)
    is_member[frame_id] = True
    facts = trajectories.facts[is_member[trajectories.frame_id.long()]]  # visit fact
    if len(facts) == 0:
        return ()
    lowest, highest = facts.amin(dim=0).tolist(), facts.amax(dim=0).tolist()
    return tuple(
        FactValue(name, low)
        for name, low, high in zip(trajectories.fact_names, lowest, highest, strict=True)
        if low == high
    )
