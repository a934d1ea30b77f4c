"""How the best set of edits is looked for: one file per strategy, and its name here."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from dtinterp.adversaries.strategies.beam import beam, greedy
from dtinterp.adversaries.strategies.branch_and_bound import branch_and_bound
from dtinterp.adversaries.strategies.exhaustive import exhaustive
from dtinterp.adversaries.strategies.gradient import gradient
from dtinterp.adversaries.strategies.random_sets import random_sets
from dtinterp.adversaries.strategies.strategy import Strategy

StrategyName: TypeAlias = Literal["exhaustive", "branch-and-bound", "greedy", "beam", "gradient", "random"]

STRATEGIES: Mapping[StrategyName, Strategy] = {
    "exhaustive": exhaustive,
    "branch-and-bound": branch_and_bound,
    "greedy": greedy,
    "beam": beam,
    "gradient": gradient,
    "random": random_sets,
}
