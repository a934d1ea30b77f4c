"""Logits become actions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.errors import UserError

COLDEST = 1e-6
"""The lowest temperature; float32 holds logits divided by it."""


@dataclass(frozen=True)
class Temperature:
    """Draw from softmax(logits / value)."""

    value: float

    def __post_init__(self) -> None:
        """Refuse a temperature at which logits would overflow."""
        if not self.value >= COLDEST:
            raise UserError(f"the temperature is {self.value}, expected at least {COLDEST} (use `greedy` for 0).")


@dataclass(frozen=True)
class Greedy:
    """Take the most preferred action."""


@dataclass(frozen=True)
class TopK:
    """Draw from the softmax over the `k` most preferred actions."""

    k: int

    def __post_init__(self) -> None:
        """Refuse to choose among no actions."""
        if self.k < 1:
            raise UserError(f"top-k keeps {self.k} actions, expected at least 1.")


@dataclass(frozen=True)
class UniformMixture:
    """With probability `epsilon` any action alike, otherwise softmax(logits)."""

    epsilon: float

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.epsilon <= 1:
            raise UserError(f"the uniform share is {self.epsilon}, expected a number from 0 to 1.")


Sampler = Temperature | Greedy | TopK | UniformMixture


def probabilities(sampler: Sampler, logits: Float32[Tensor, "world action"]) -> Float32[Tensor, "world action"]:
    """Return the distribution from which `sampler` draws."""
    match sampler:
        case Temperature(value):
            return torch.softmax(logits / value, dim=-1)
        case Greedy():
            return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()
        case TopK(k):
            kept = logits.topk(min(k, logits.shape[-1]), dim=-1).indices
            is_dropped = torch.ones_like(logits, dtype=torch.bool).scatter(-1, kept, False)
            return torch.softmax(logits.masked_fill(is_dropped, -torch.inf), dim=-1)
        case UniformMixture(epsilon):
            return epsilon / logits.shape[-1] + (1 - epsilon) * torch.softmax(logits, dim=-1)


def draw(
    sampler: Sampler, logits: Float32[Tensor, "world action"], generator: torch.Generator
) -> Int64[Tensor, " world"]:
    """Choose one action per world."""
    if isinstance(sampler, Greedy):
        return logits.argmax(-1)
    return torch.multinomial(probabilities(sampler, logits), 1, generator=generator).squeeze(-1)


def sampler_name(sampler: Sampler) -> str:
    """Return the label that episodes carry; `parse_sampler` reads it back."""
    match sampler:
        case Temperature(value):
            return f"temperature={_shortest(value)}"
        case Greedy():
            return "greedy"
        case TopK(k):
            return f"top-k={k}"
        case UniformMixture(epsilon):
            return f"uniform={_shortest(epsilon)}"


def parse_sampler(text: str) -> Sampler:
    """Read `temperature=1`, `greedy`, `top-k=2` or `uniform=0.1`. Raises `UserError` for anything else."""
    try:
        match text.split("="):
            case ["temperature", value]:
                return Temperature(float(value))
            case ["greedy"]:
                return Greedy()
            case ["top-k", value]:
                return TopK(int(value))
            case ["uniform", value]:
                return UniformMixture(float(value))
            case _:
                raise ValueError("no such sampler")
    except ValueError:
        raise UserError(
            f"the sampler is {text!r}, expected temperature=T, greedy, top-k=K or uniform=EPSILON."
        ) from None


def _shortest(value: float) -> str:
    """Return the shortest text that reads back as just this number."""
    return str(float(value)).removesuffix(".0")
