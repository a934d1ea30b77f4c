"""Pairs of windows for distributed alignment search, and what a high-level model decides when a fact is exchanged."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from pydantic import StrictStr
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions.finder import DirectionFinder
from dtinterp.interventions.windows.chosen import ChosenWindows
from dtinterp.interventions.windows.predicate import word_of
from environments.vocabulary import ACTIONS


class DecidingFacts(DirectionFinder):
    """A high-level model of a policy: some facts decide on an action, and the part that one of them plays is sought."""

    fact: StrictStr = "instruction"
    """the variable whose subspace is sought"""
    variables: tuple[StrictStr, ...] = ("instruction", "top_target")
    """the facts that decide"""
    decides: StrictStr = "correct_turn"
    """the fact that they decide, whose values are actions"""


@dataclass(frozen=True)
class WindowPairs:
    """Pairs of a base and a source window."""

    base: Int64[Tensor, " pair"]
    """numbers of windows"""
    source: Int64[Tensor, " pair"]
    target: Int64[Tensor, " pair"]
    """what is decided when the base takes the source's fact, as an action"""
    value: Int64[Tensor, " pair"]
    """the source's value of the fact"""
    key: Int64[Tensor, " pair"]
    """number of the source's variables"""


def pairs_of(
    asked: DecidingFacts, chosen: ChosenWindows, *, n_pairs: int, rng: torch.Generator
) -> tuple[WindowPairs, WindowPairs]:
    """Return pairs of windows of one half, and of the other those whose decision the exchange changes."""
    decided = _decisions(asked, chosen)
    order = torch.randperm(len(chosen), generator=rng)
    halves = order.chunk(2) if len(chosen) >= 8 else (order, order)  # four decision points have no halves
    fitted, judged = (_paired(asked, chosen, decided, half) for half in halves)
    changes = judged.target != decided.own[judged.base]
    if not changes.any() or not len(fitted.base):
        raise UserError(
            f"exchanging {asked.fact} changes no decision in these windows: choose windows that differ in it."
        )
    return _drawn(fitted, n_pairs, rng), _drawn(_kept(judged, changes), n_pairs, rng)


@dataclass(frozen=True)
class _Decisions:
    own: Int64[Tensor, " batch"]
    """what each window's facts decide, as an action"""
    by_variables: dict[tuple[int, ...], int]


def _decisions(asked: DecidingFacts, chosen: ChosenWindows) -> _Decisions:
    if asked.fact not in asked.variables:
        raise UserError(f"the fact {asked.fact} is none of the variables {', '.join(asked.variables)}: add it to them.")
    own = torch.tensor([_action(asked.decides, value) for value in chosen.fact(asked.decides).tolist()])
    table: dict[tuple[int, ...], int] = {}
    for variables, action in zip(_variables(asked, chosen), own.tolist(), strict=True):
        if table.setdefault(variables, action) != action:
            raise UserError(
                f"windows with equal {', '.join(asked.variables)} differ in {asked.decides}: "
                "name all facts that decide."
            )
    return _Decisions(own, table)


def _variables(asked: DecidingFacts, chosen: ChosenWindows) -> list[tuple[int, ...]]:
    return [*zip(*(chosen.fact(name).tolist() for name in asked.variables), strict=True)]


def _action(fact: str, value: int) -> int:
    word = word_of(fact, value)
    if word not in ACTIONS:
        raise UserError(f"the fact {fact} has the value {word}, which is no action: choose what decides on actions.")
    return ACTIONS.index(word)


def _paired(
    asked: DecidingFacts, chosen: ChosenWindows, decided: _Decisions, half: Int64[Tensor, " chosen"]
) -> WindowPairs:
    """Return all pairs of some windows whose exchange is decided by the table."""
    variables, place = _variables(asked, chosen), asked.variables.index(asked.fact)
    numbers = {each: number for number, each in enumerate(decided.by_variables)}
    rows: list[tuple[int, ...]] = []
    for base in half.tolist():
        for source in half.tolist():
            value = variables[source][place]
            exchanged = (*variables[base][:place], value, *variables[base][place + 1 :])
            if exchanged in decided.by_variables:
                rows.append((base, source, decided.by_variables[exchanged], value, numbers[variables[source]]))
    return WindowPairs(*torch.tensor(rows, dtype=torch.int64).view(-1, 5).T)


def _kept(pairs: WindowPairs, chosen: Bool[Tensor, " pair"] | Int64[Tensor, " chosen"]) -> WindowPairs:
    return WindowPairs(*(column[chosen] for column in vars(pairs).values()))


def _drawn(pairs: WindowPairs, n: int, rng: torch.Generator) -> WindowPairs:
    return _kept(pairs, torch.randperm(len(pairs.base), generator=rng)[:n])
