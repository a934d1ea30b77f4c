"""Logits become actions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.errors import UserError


@dataclass(frozen=True)
class Temperature:
    """Draw from softmax(logits / value)."""

    value: float

    def __post_init__(self) -> None:
        """Refuse a temperature that is not positive."""
        if not self.value > 0:
            raise UserError(f"the temperature is {self.value}, expected a number above 0 (use `greedy` for 0).")


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
            weakest = logits.topk(min(k, logits.shape[-1]), dim=-1).values[:, -1:]
            return torch.softmax(logits.masked_fill(logits < weakest, -torch.inf), dim=-1)
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
            return f"temperature={value:g}"
        case Greedy():
            return "greedy"
        case TopK(k):
            return f"top-k={k}"
        case UniformMixture(epsilon):
            return f"uniform={epsilon:g}"


def parse_sampler(text: str) -> Sampler:
    """Read `temperature=1`, `greedy`, `top-k=2` or `uniform=0.1`."""
    name, _, value = text.partition("=")
    try:
        match name:
            case "temperature":
                return Temperature(float(value))
            case "greedy" if not value:
                return Greedy()
            case "top-k":
                return TopK(int(value))
            case "uniform":
                return UniformMixture(float(value))
    except UserError:
        raise
    except ValueError:
        pass  # the sentence below names the text
    raise UserError(f"the sampler is {text!r}, expected temperature=T, greedy, top-k=K or uniform=EPSILON.")
