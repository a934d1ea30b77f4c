import itertools

import numpy as np
import torch

from dtinterp.foundation.seeding import generator, numpy_generator

STREAMS = [(0, "weights"), (0, "batches"), (0, "batches/1"), (1, "weights"), (-1, "weights"), (2**40, "weights")]


def test_one_seed_and_name_give_the_same_bits():
    assert torch.equal(
        torch.randn(100, generator=generator(3, "weights")), torch.randn(100, generator=generator(3, "weights"))
    )
    assert np.array_equal(numpy_generator(3, "weights").random(100), numpy_generator(3, "weights").random(100))


def test_streams_of_another_name_or_seed_are_uncorrelated():
    draws = [torch.randn(10_000, generator=generator(seed, name)) for seed, name in STREAMS]
    correlations = [float((one * other).mean()) for one, other in itertools.combinations(draws, 2)]
    assert max(map(abs, correlations)) < 0.05  # five standard deviations


def test_drawing_from_one_stream_leaves_the_others_alone():
    untouched = torch.randn(5, generator=generator(0, "batches"))
    one, other = generator(0, "weights"), generator(0, "batches")
    torch.randn(1000, generator=one)
    assert torch.equal(torch.randn(5, generator=other), untouched)


def test_the_global_generator_is_never_touched():
    state = torch.get_rng_state()
    torch.randn(5, generator=generator(0, "weights"))
    assert torch.equal(torch.get_rng_state(), state)
