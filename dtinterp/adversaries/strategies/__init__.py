"""How the best set of edits is looked for: one file per strategy, and its name here."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from dtinterp.adversaries.strategies.exhaustive import exhaustive
from dtinterp.adversaries.strategies.random_sets import random_sets
from dtinterp.adversaries.strategies.strategy import Strategy

StrategyName: TypeAlias = Literal["exhaustive", "random"]

STRATEGIES: Mapping[StrategyName, Strategy] = {"exhaustive": exhaustive, "random": random_sets}
