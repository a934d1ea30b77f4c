"""Codes and facts become which facts some feature tells by its firing, beside shuffled facts."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.dictionary.codes import Codes
from dtinterp.dictionary.dictionary import Dictionary, encode
from dtinterp.dictionary.hierarchy import f1
from dtinterp.foundation.errors import UserError

MEETS = 0.9
"""F1 from which a feature counts as telling a fact."""
MOST_VALUES = 12
"""Facts with more values than this, such as the time, are left out: their values have no names."""


@dataclass(frozen=True)
class FactRecovery:
    """How well one feature's firing tells that a fact has a value: chosen on some rows, measured on others."""

    fact: str
    value: int
    feature: int
    """the feature of largest F1 on the rows on which it is chosen"""
    precision: float
    """share of the rows in which it fires where the fact has the value; 0 where it never fires"""
    recall: float
    """share of the rows where the fact has the value in which it fires"""
    f1: float
    """harmonic mean of the two"""
    always: float
    """F1 of a feature that fires everywhere: what the base rate alone achieves"""
    shuffled: float
    """F1 on the measured rows of the feature chosen for the same truth, dealt out anew over the rows"""


@dataclass(frozen=True)
class FactsRecovered:
    """How much of the known truth the features of a dictionary tell, value by value."""

    values: tuple[FactRecovery, ...]
    coverage: float
    """share of the values that their feature tells with F1 `MEETS` or more"""
    uniqueness: float
    """values that are met, over the features that meet them: 1 if each has a feature of its own, more where one
    feature meets several, such as a value that comes with another; 0 where none is met"""
    n_rows: int
    """rows on which it was measured"""


def recovered_facts(
    dictionary: Dictionary,
    rows: Float32[Tensor, "row d_model"],
    facts: Int64[Tensor, "row fact"],
    *,
    names: tuple[str, ...],
    is_measured: Bool[Tensor, " row"],
    generator: torch.Generator,
) -> FactsRecovered:
    """Return which values of which facts some feature tells.

    Features are chosen on the rows that are not measured, so keep rows of one episode on one side. Costs one byte x
    rows x features. Raises `UserError` where one side is empty.
    """
    if is_measured.all() or not is_measured.any():
        raise UserError(f"{int(is_measured.sum())} of {len(rows)} rows are measured, expected some and not all.")
    fires = _fires(encode(dictionary, rows), dictionary.width)
    values = tuple(_recoveries(fires, facts, names=names, is_measured=is_measured, generator=generator))
    met = [each for each in values if each.f1 >= MEETS]
    return FactsRecovered(
        values=values,
        coverage=len(met) / max(1, len(values)),
        uniqueness=len(met) / len({each.feature for each in met}) if met else 0.0,
        n_rows=int(is_measured.sum()),
    )


def _recoveries(
    fires: Bool[Tensor, "row feature"],
    facts: Int64[Tensor, "row fact"],
    *,
    names: tuple[str, ...],
    is_measured: Bool[Tensor, " row"],
    generator: torch.Generator,
) -> Iterator[FactRecovery]:
    chosen_on, measured_on = fires[~is_measured], fires[is_measured]
    for name, column in zip(names, facts.T, strict=True):
        seen = column.unique().tolist()
        if not 1 < len(seen) <= MOST_VALUES:
            continue
        dealt = column[torch.randperm(len(column), generator=generator)]
        for value in seen:
            truth, guess = column == value, dealt == value
            feature = int(f1(chosen_on, truth[~is_measured]).argmax())
            other = int(f1(chosen_on, guess[~is_measured]).argmax())
            holds, fired = truth[is_measured], measured_on[:, feature]
            hits = int((fired & holds).sum())
            yield FactRecovery(
                fact=name,
                value=value,
                feature=feature,
                precision=hits / max(1, int(fired.sum())),
                recall=hits / max(1, int(holds.sum())),
                f1=float(f1(fired[:, None], holds)),
                always=float(f1(torch.ones_like(holds)[:, None], holds)),
                shuffled=float(f1(measured_on[:, [other]], guess[is_measured])),
            )


def _fires(codes: Codes, width: int) -> Bool[Tensor, "row feature"]:
    fires = torch.zeros(len(codes.index), width, dtype=torch.uint8, device=codes.index.device)
    return fires.scatter_reduce(1, codes.index, (codes.value != 0).to(torch.uint8), "amax").bool()
