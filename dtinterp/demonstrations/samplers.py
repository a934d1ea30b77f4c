"""Samplers: ways to draw an action from logits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.errors import UserError

HOTTEST = 1e12
"""At this temperature every action is drawn alike to float32, whatever the logits."""
MOST_ACTIONS = 1000
COLDEST = 1e-6
"""The lowest temperature; float32 holds logits divided by it."""


@dataclass(frozen=True)
class Temperature:
    """Draw from softmax(logits / value)."""

    value: float

    def __post_init__(self) -> None:
        """Refuse a temperature at which logits would overflow."""
        if not COLDEST <= self.value <= HOTTEST:
            raise UserError(
                f"the temperature is {self.value}, expected {COLDEST} to {HOTTEST:g} (`greedy` stands for 0, `uniform` "
                "for more)."
            )


@dataclass(frozen=True)
class Greedy:
    """Take the most preferred action."""


@dataclass(frozen=True)
class TopKActions:
    """Draw from the softmax over the `k` most preferred actions."""

    k: int

    def __post_init__(self) -> None:
        """Refuse to choose among no actions."""
        if not 1 <= self.k <= MOST_ACTIONS:
            raise UserError(f"top-k keeps {self.k} actions, expected 1 to {MOST_ACTIONS}.")


@dataclass(frozen=True)
class BottomKActions:
    """Draw from the softmax over the `k` least preferred actions: a demonstrator that means ill."""

    k: int

    def __post_init__(self) -> None:
        """Refuse to choose among no actions."""
        if not 1 <= self.k <= MOST_ACTIONS:
            raise UserError(f"bottom-k keeps {self.k} actions, expected 1 to {MOST_ACTIONS}.")


@dataclass(frozen=True)
class Uniform:
    """Draw any action alike, whatever is preferred."""


@dataclass(frozen=True)
class EpsilonGreedy:
    """With probability `epsilon` any action alike, the best one included; otherwise the most preferred action."""

    epsilon: float

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.epsilon <= 1:
            raise UserError(f"epsilon is {self.epsilon}, expected a number from 0 to 1.")


@dataclass(frozen=True)
class UniformMixture:
    """With probability `epsilon` any action alike, otherwise softmax(logits)."""

    epsilon: float

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.epsilon <= 1:
            raise UserError(f"the uniform share is {self.epsilon}, expected a number from 0 to 1.")


Sampler = Temperature | Greedy | TopKActions | BottomKActions | Uniform | EpsilonGreedy | UniformMixture
FORMS = "temperature=T, greedy, top-k=K, bottom-k=K, uniform, epsilon-greedy=EPSILON or uniform=EPSILON"
"""How samplers are written."""


def probabilities(sampler: Sampler, logits: Float32[Tensor, "world action"]) -> Float32[Tensor, "world action"]:
    """Return the distribution from which `sampler` draws."""
    match sampler:
        case Temperature(value):
            return torch.softmax(logits / value, dim=-1)
        case Greedy():
            return _best(logits)
        case TopKActions(k):
            return _softmax_over(logits, logits.topk(min(k, logits.shape[-1]), dim=-1).indices)
        case BottomKActions(k):
            return _softmax_over(logits, logits.topk(min(k, logits.shape[-1]), dim=-1, largest=False).indices)
        case Uniform():
            return torch.full_like(logits, 1 / logits.shape[-1])
        case EpsilonGreedy(epsilon):
            return epsilon / logits.shape[-1] + (1 - epsilon) * _best(logits)
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
        case TopKActions(k):
            return f"top-k={k}"
        case BottomKActions(k):
            return f"bottom-k={k}"
        case Uniform():
            return "uniform"
        case EpsilonGreedy(epsilon):
            return f"epsilon-greedy={_shortest(epsilon)}"
        case UniformMixture(epsilon):
            return f"uniform={_shortest(epsilon)}"


def parse_sampler(text: str) -> Sampler:
    """Read a sampler as `FORMS` has it, such as `temperature=1`. Raises `UserError` for anything else."""
    name, has_value, value = text.partition("=")
    kinds = _WITH_VALUE if has_value else _BARE
    try:
        return kinds[name](value)
    except (KeyError, ValueError):
        raise UserError(f"the sampler is {text!r}, expected {FORMS}.") from None


_BARE: dict[str, Callable[[str], Sampler]] = {"greedy": lambda _: Greedy(), "uniform": lambda _: Uniform()}
_WITH_VALUE: dict[str, Callable[[str], Sampler]] = {
    "temperature": lambda value: Temperature(float(value)),
    "top-k": lambda value: TopKActions(int(value)),
    "bottom-k": lambda value: BottomKActions(int(value)),
    "epsilon-greedy": lambda value: EpsilonGreedy(float(value)),
    "uniform": lambda value: UniformMixture(float(value)),
}


def _best(logits: Float32[Tensor, "world action"]) -> Float32[Tensor, "world action"]:
    """Return certainty of the most preferred action, the first one among equals."""
    return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()


def _softmax_over(
    logits: Float32[Tensor, "world action"], kept: Int64[Tensor, "world kept"]
) -> Float32[Tensor, "world action"]:
    is_dropped = torch.ones_like(logits, dtype=torch.bool).scatter(-1, kept, False)
    return torch.softmax(logits.masked_fill(is_dropped, -torch.inf), dim=-1)


def _shortest(value: float) -> str:
    """Return the shortest text that reads back as just this number."""
    return str(float(value)).removesuffix(".0")
