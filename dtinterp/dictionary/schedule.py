"""The number of a step becomes its size."""

from typing import Protocol, runtime_checkable

import torch

FALL = 0.2
"""Share of the steps over which the learning rate falls to zero (Templeton et al. 2024)."""


@runtime_checkable
class Schedule(Protocol):
    """What a configuration says about the steps of a fit, whatever is fitted."""

    @property
    def title(self) -> str:
        """What will be made, by name."""
        ...

    @property
    def kind(self) -> object:
        """What will be made, with its settings."""
        ...

    @property
    def width(self) -> int:
        """Features."""
        ...

    @property
    def n_steps(self) -> int:
        """Steps of Adam, at least 1."""
        ...

    @property
    def batch_rows(self) -> int:
        """Rows a step."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of Adam, before it falls."""
        ...

    @property
    def silent_steps(self) -> int:
        """Steps without firing after which a feature is called silent."""
        ...


def set_learning_rate(optimiser: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    """Give the optimiser its rate for step number `step`, from 1: it falls linearly to zero over the last steps."""
    for group in optimiser.param_groups:
        group["lr"] = schedule.learning_rate * min(1.0, (1 - (step - 1) / schedule.n_steps) / FALL)
