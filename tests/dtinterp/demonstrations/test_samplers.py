import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dtinterp.demonstrations.samplers import (
    COLDEST,
    FORMS,
    BottomKActions,
    EpsilonGreedy,
    Greedy,
    Temperature,
    TopKActions,
    Uniform,
    UniformMixture,
    draw,
    parse_sampler,
    probabilities,
    sampler_name,
)
from dtinterp.foundation.errors import UserError

SAMPLERS = st.one_of(
    st.floats(COLDEST, 1e12).map(Temperature),
    st.just(Greedy()),
    st.integers(1, 9).map(TopKActions),
    st.integers(1, 9).map(BottomKActions),
    st.just(Uniform()),
    st.floats(0, 1).map(EpsilonGreedy),
    st.floats(0, 1).map(UniformMixture),
)
LOGITS = torch.tensor([[1.0, 0.0, 2.0, -1.0], [0.5, 0.5, 0.25, 0.5]])


@settings(deadline=None)
@given(sampler=SAMPLERS, seed=st.integers(0, 1000), scale=st.floats(0.1, 100))
def test_probabilities_are_probabilities(sampler, seed, scale):
    logits = scale * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    chances = probabilities(sampler, logits)
    assert chances.min() >= 0
    torch.testing.assert_close(chances.sum(-1), torch.ones(5))


@settings(deadline=None)
@given(sampler=SAMPLERS)
def test_a_printed_sampler_is_parsed_back(sampler):
    assert parse_sampler(sampler_name(sampler)) == sampler


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        (Temperature(1.0), "temperature=1"),
        (Temperature(0.5), "temperature=0.5"),
        (Greedy(), "greedy"),
        (TopKActions(2), "top-k=2"),
        (BottomKActions(3), "bottom-k=3"),
        (Uniform(), "uniform"),
        (EpsilonGreedy(0.25), "epsilon-greedy=0.25"),
        (UniformMixture(0.1), "uniform=0.1"),
    ],
)
def test_names_are_short(sampler, name):
    assert sampler_name(sampler) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "warm", "temperature", "temperature=", "temperature=hot", "greedy=", "greedy=1", "top-k=1.5"),
        *("bottom-k", "bottom-k=many", "uniform=", "uniform=1=2", "epsilon-greedy", "epsilon=0.1", "=", "=1"),
    ],
)
def test_text_that_is_no_sampler_is_refused_in_a_sentence(text):
    sentence = f"^the sampler is '{text}', expected {FORMS}.$"
    with pytest.raises(UserError, match=sentence):
        parse_sampler(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("temperature=0", r"the temperature is 0.0, expected 1e-06 to 1e\+12 \(`greedy` stands for 0"),
        ("temperature=nan", "the temperature is nan, expected 1e-06 to"),
        ("temperature=-1", "the temperature is -1.0, expected 1e-06 to"),
        ("temperature=inf", "the temperature is inf, expected 1e-06 to"),
        ("top-k=99999999999", "top-k keeps 99999999999 actions, expected 1 to 1000"),
        ("top-k=0", "top-k keeps 0 actions, expected 1 to 1000"),
        ("bottom-k=0", "bottom-k keeps 0 actions, expected 1 to 1000"),
        ("epsilon-greedy=-0.1", "epsilon is -0.1, expected a number from 0 to 1"),
        ("epsilon-greedy=nan", "epsilon is nan, expected a number from 0 to 1"),
        ("uniform=1.1", "the uniform share is 1.1, expected a number from 0 to 1"),
        ("uniform=nan", "the uniform share is nan, expected a number from 0 to 1"),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(text, sentence):
    with pytest.raises(UserError, match=sentence):
        parse_sampler(text)


def test_temperature_divides_the_logits():
    weights = [math.exp(logit / 2) for logit in LOGITS[0].tolist()]
    expected = torch.tensor([weight / sum(weights) for weight in weights])
    torch.testing.assert_close(probabilities(Temperature(2.0), LOGITS)[0], expected)


def test_temperature_goes_from_the_best_action_to_any_action():
    assert torch.equal(probabilities(Temperature(COLDEST), LOGITS[:1]), probabilities(Greedy(), LOGITS[:1]))
    torch.testing.assert_close(probabilities(Temperature(1e9), LOGITS), torch.full((2, 4), 0.25))


def test_top_k_keeps_exactly_the_best_even_among_equals():
    assert ((probabilities(TopKActions(2), LOGITS) > 0).sum(-1) == 2).all()
    torch.testing.assert_close(probabilities(TopKActions(2), LOGITS)[0], torch.tensor([1, 0, math.e, 0]) / (1 + math.e))
    assert torch.equal(probabilities(TopKActions(9), LOGITS), probabilities(Temperature(1.0), LOGITS))


def test_a_uniform_mixture_adds_the_same_chance_to_every_action():
    softmax = torch.softmax(LOGITS, dim=-1)
    torch.testing.assert_close(probabilities(UniformMixture(0.2), LOGITS), 0.05 + 0.8 * softmax)
    assert torch.equal(probabilities(UniformMixture(1.0), LOGITS), torch.full((2, 4), 0.25))


def slow_probabilities(sampler, logits):
    """The distribution of one world, action by action, as the samplers' own sentences say it."""
    actions = range(len(logits))
    by_preference = sorted(actions, key=lambda action: -logits[action])
    match sampler:
        case Temperature(value):
            weights = [math.exp(logit / value) for logit in logits]
        case TopKActions(k):
            weights = [math.exp(logits[action]) if action in by_preference[:k] else 0.0 for action in actions]
        case BottomKActions(k):
            weights = [math.exp(logits[action]) if action in by_preference[::-1][:k] else 0.0 for action in actions]
        case Greedy():
            weights = [float(action == by_preference[0]) for action in actions]
        case Uniform():
            weights = [1.0 for _ in actions]
        case EpsilonGreedy(epsilon):
            weights = [epsilon / len(logits) + (1 - epsilon) * (action == by_preference[0]) for action in actions]
        case _:
            assert isinstance(sampler, UniformMixture)
            epsilon = sampler.epsilon
            total = sum(math.exp(logit) for logit in logits)
            weights = [epsilon / len(logits) + (1 - epsilon) * math.exp(logit) / total for logit in logits]
    return [weight / sum(weights) for weight in weights]


@settings(deadline=None)
@given(sampler=SAMPLERS, seed=st.integers(0, 1000))
def test_probabilities_are_those_of_a_slow_loop(sampler, seed):
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(seed))
    if isinstance(sampler, Temperature):
        sampler = Temperature(max(sampler.value, 0.05))  # the loop's exponentials overflow where it is colder
    expected = torch.tensor([slow_probabilities(sampler, row) for row in logits.tolist()])
    torch.testing.assert_close(probabilities(sampler, logits), expected, atol=1e-5, rtol=1e-4)


def test_bottom_k_keeps_exactly_the_worst_even_among_equals():
    assert ((probabilities(BottomKActions(2), LOGITS) > 0).sum(-1) == 2).all()
    assert torch.equal(probabilities(BottomKActions(9), LOGITS), probabilities(Temperature(1.0), LOGITS))


def test_epsilon_greedy_goes_from_the_best_action_to_any_action():
    assert torch.equal(probabilities(EpsilonGreedy(0.0), LOGITS), probabilities(Greedy(), LOGITS))
    assert torch.equal(probabilities(EpsilonGreedy(1.0), LOGITS), probabilities(Uniform(), LOGITS))


@pytest.mark.parametrize(
    "sampler",
    [Temperature(0.7), Greedy(), TopKActions(2), BottomKActions(2), Uniform(), EpsilonGreedy(0.4), UniformMixture(0.3)],
)
def test_draws_follow_the_probabilities(sampler):
    logits = LOGITS[:1].expand(20_000, -1)
    actions = draw(sampler, logits, torch.Generator().manual_seed(0))
    shares = torch.bincount(actions, minlength=4) / len(actions)
    torch.testing.assert_close(shares, probabilities(sampler, LOGITS)[0], atol=0.015, rtol=0)


def test_draws_repeat_with_their_generator():
    one, other = (draw(Temperature(1.0), LOGITS, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, other)
