"""What every strategy is: a function that spends a budget of candidates, and says what it has proved."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch

from dtinterp.adversaries.problem import Problem, Tally

Proof: TypeAlias = Literal["exhaustion", "linear bound", "heuristic bound", "none"]
"""Why the best that was found is the best there is: all was tried; nothing else can be better, since the objective is
linear; the same if edits interact no more than they were seen to; or nothing says so."""
Strategy: TypeAlias = Callable[[Problem, Tally, torch.Generator], Proof]
