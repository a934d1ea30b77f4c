"""What a model decides in one window before and after features are exchanged, beside controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.equivalence.explain.feature_patching import Difference, PatchingSetup, as_far_as, difference
from dtinterp.equivalence.swaps.trials import moved
from dtinterp.interventions.controls.drawn import directions_of_differences

AS_IT_IS = "as it is"
SWAPPED = "the other in its place"
EXCHANGED = "… these features exchanged"
OTHERS = "… as many others exchanged, as far"
AT_RANDOM = "… moved as far at random"


@dataclass(frozen=True)
class Decided:
    """What the model does with one thing in the observation's place."""

    name: str
    """of what stands there"""
    probability: Float[Tensor, "decision action"]
    """from the observation's slot on"""
    divergence: Float64[Tensor, " decision"]
    """bits, from what it does with the observation itself"""


def decide(
    setup: PatchingSetup, dictionary: Dictionary, features: Sequence[int], *, context: int, generator: torch.Generator
) -> tuple[Decided, ...]:
    """Return what the model decides in one context, before and after `features` are exchanged.

    The rows are the observation itself, the other one of the two, the other one with these features as the observation
    has them, and two controls that move it as far: as many others of the differing features, drawn at random, and a
    random direction in which frames differ. Where no feature is to be exchanged, or there are no others, those rows are
    left out. Features that do not differ change nothing.
    """
    parts = difference(dictionary, setup.embedding)
    chosen = torch.isin(parts.feature, torch.tensor(list(features), dtype=torch.int64))
    shifts = {SWAPPED: torch.zeros_like(setup.embedding[0]), **_exchanges(setup, parts, chosen, generator)}
    logits = setup.logits(context, torch.stack(list(shifts.values())))  # 1+draft decision action
    bits = moved(logits, logits[0]).divergence  # 1+draft decision
    names = (AS_IT_IS, *shifts)
    return tuple(Decided(*row) for row in zip(names, logits.softmax(-1), bits, strict=True))


def most_telling(setup: PatchingSetup) -> int:
    """Return the context in which the two observations, as they are, are furthest apart."""
    nothing = torch.zeros_like(setup.embedding[:1])
    logits = [setup.logits(context, nothing) for context in range(len(setup.start))]
    peaks = [float(moved(each, each[0]).divergence.max()) for each in logits]
    return peaks.index(max(peaks))


def _exchanges(
    setup: PatchingSetup, parts: Difference, chosen: Bool[Tensor, " differing"], generator: torch.Generator
) -> dict[str, Float32[Tensor, " d_model"]]:
    if not chosen.any():
        return {}
    shift = parts.shift(chosen[None])[0]
    found = {EXCHANGED: shift}
    if not chosen.all():
        others = as_far_as(shift, parts.shift(_others(chosen, generator)[None]))
        found |= {OTHERS: others[0]} if len(others) else {}
    directions = directions_of_differences(setup.deviation, 1, generator)
    return found | {AT_RANDOM: as_far_as(shift, directions)[0]}


def _others(chosen: Bool[Tensor, " differing"], generator: torch.Generator) -> Bool[Tensor, " differing"]:
    """Return a random set of the same size that is not the chosen one."""
    others = chosen
    while torch.equal(others, chosen):
        others = chosen[torch.randperm(len(chosen), generator=generator)]
    return others
