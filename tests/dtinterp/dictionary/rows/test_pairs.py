from dataclasses import replace

import pytest
import torch

from dtinterp.dictionary.rows.pairs import PairBatch, Pairs
from dtinterp.dictionary.training.initialization import Batch
from dtinterp.dictionary.training.streams import beside
from dtinterp.foundation.errors import UserError

D, N = 8, 40


def _pairs(seed: int = 0) -> PairBatch:
    rng = torch.Generator().manual_seed(seed)
    weight = torch.rand(N, generator=rng)
    inputs, outputs = (Batch(torch.randn(N, D, generator=rng), weight / weight.sum()) for _ in range(2))
    return PairBatch(inputs, outputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(3, D)}, "There are 3 inputs and 10 outputs, expected as many"),
        ({"inputs": torch.ones(10, D)}, "All 10 inputs are the same vector"),
        ({"inputs": torch.full((10, D), torch.nan)}, "10 of 10 rows hold NaN"),
        ({"outputs": torch.full((10, D), torch.inf)}, "10 of 10 rows hold NaN or infinity"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(change, message):
    pairs = Pairs(torch.randn(10, D), torch.randn(10, D))
    with pytest.raises(UserError, match=message):
        replace(pairs, **change)


def test_joined_pairs_split_into_what_they_were() -> None:
    pairs = _pairs()
    found = PairBatch.split(pairs.joined)
    for one, other in ((found.inputs, pairs.inputs), (found.outputs, pairs.outputs)):
        assert torch.equal(one.rows, other.rows)
        assert torch.equal(one.weight, pairs.inputs.weight)


def test_pairs_of_several_members_split_into_what_they_were() -> None:
    pairs = [_pairs(), _pairs(1)]
    found = PairBatch.split(beside([each.joined for each in pairs]))
    for member, each in enumerate(pairs):
        assert torch.equal(found.inputs.of(member).rows, each.inputs.rows)
        assert torch.equal(found.outputs.of(member).rows, each.outputs.rows)
        assert torch.equal(found.outputs.of(member).weight, each.inputs.weight)
