"""Splitting and absorption, in dictionaries that were built to show them."""

import pytest
import torch

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.evaluation.hierarchy import Concept, f1, hierarchies
from dtinterp.dictionary.kinds.autoencoders.l1 import L1

N_PARTS, N_ROWS, D = 4, 200, 9


@pytest.fixture
def concept() -> Concept:
    """Four parts that exclude each other, in half of the rows."""
    which = torch.randint(2 * N_PARTS, (N_ROWS,), generator=torch.Generator().manual_seed(0))
    parts = which[:, None] == torch.arange(N_PARTS)
    return Concept("thing in view", parts.any(dim=1), parts)


@pytest.fixture
def rows(concept: Concept) -> torch.Tensor:
    """Axis 0 tells the whole, axes 1 to 4 the parts; the rest is noise."""
    noise = 0.01 * torch.randn(N_ROWS, D - N_PARTS - 1, generator=torch.Generator().manual_seed(1))
    return torch.cat([concept.holds[:, None].float(), concept.parts.float(), noise], dim=1)


def _dictionary(encoder: torch.Tensor, decoder: torch.Tensor, threshold: float = 0.5) -> Dictionary:
    return Dictionary(
        W_enc=encoder.T.contiguous(),
        b_enc=torch.full((len(encoder),), -threshold),
        W_dec=decoder,
        b_dec=torch.zeros(D),
        kind=L1(1.0),
        scale=torch.tensor(1.0),
        site="here",
        name="built",
    )


def _axes(*places: int) -> torch.Tensor:
    return torch.eye(D)[list(places)]


def test_a_feature_for_the_whole_is_neither_split_nor_absorbed(concept, rows):
    found = hierarchies(_dictionary(_axes(0, 1, 2, 3, 4), _axes(0, 1, 2, 3, 4)), rows, [concept])[0]
    assert found.features == (0,)
    assert (found.f1, found.first_f1, found.part_f1) == pytest.approx((1.0, 1.0, 1.0))
    assert found.absorbed.estimate == found.silent.estimate == 0
    assert found.absorbed.n == int(concept.holds.sum())
    assert found.always_f1 == pytest.approx(2 * found.absorbed.n / (N_ROWS + found.absorbed.n))


def test_a_feature_for_each_part_splits_the_whole(concept, rows):
    found = hierarchies(_dictionary(_axes(1, 2, 3, 4), _axes(1, 2, 3, 4)), rows, [concept])[0]
    assert sorted(found.features) == [0, 1, 2, 3]
    assert found.f1 == pytest.approx(1.0)
    assert found.first_f1 < 0.7


def test_a_large_part_with_a_feature_of_its_own_splits_the_whole(concept, rows):
    """The whole's feature keeps quiet at part 3, a quarter of its rows, whose own feature stands in for it."""
    whole, part = _axes(0)[0] - _axes(4)[0], _axes(4)[0]
    dictionary = _dictionary(torch.stack([whole, part]), torch.stack([_axes(0)[0], _axes(0)[0] + part]))
    found = hierarchies(dictionary, rows, [concept])[0]
    assert found.features == (0, 1)
    assert found.absorbed.estimate == found.silent.estimate == 0


def test_a_small_part_is_absorbed_and_not_split(rows, concept):
    """With the part in 3% of the rows, a second feature adds too little to stand for the concept."""
    rare = concept.parts.clone()
    kept = torch.ones(N_ROWS, dtype=torch.bool)
    kept[rare[:, 3].nonzero().flatten()[3:]] = False
    small = Concept(concept.name, concept.holds[kept], concept.parts[kept])
    whole, part = _axes(0)[0] - _axes(4)[0], _axes(4)[0]
    dictionary = _dictionary(torch.stack([whole, part]), torch.stack([_axes(0)[0], _axes(0)[0] + part]))
    found = hierarchies(dictionary, rows[kept], [small])[0]
    assert found.features == (0,)
    assert found.absorbed.estimate == found.silent.estimate == pytest.approx(3 / int(small.holds.sum()))


def test_silence_without_a_part_that_speaks_is_no_absorption(rows, concept):
    quiet = _dictionary((_axes(0)[0] - _axes(4)[0])[None], _axes(0))
    found = hierarchies(quiet, rows, [concept])[0]
    assert found.silent.estimate == pytest.approx(float(concept.parts[:, 3].sum() / concept.holds.sum()))
    assert found.absorbed.estimate == 0


def test_concepts_that_never_vary_or_have_one_part_are_left_out(rows, concept):
    always = Concept("always", torch.ones(N_ROWS, dtype=torch.bool), concept.parts)
    single = Concept("single", concept.holds, concept.parts[:, :1])
    dictionary = _dictionary(_axes(0), _axes(0))
    assert hierarchies(dictionary, rows, [always, single]) == ()


def test_f1_is_what_a_slow_loop_computes():
    fires, holds = torch.rand(50, 4) > 0.6, torch.rand(50) > 0.5
    for feature in range(4):
        hits = sum(bool(a and b) for a, b in zip(fires[:, feature], holds, strict=True))
        precision, recall = hits / max(1, int(fires[:, feature].sum())), hits / int(holds.sum())
        expected = 2 * precision * recall / (precision + recall) if hits else 0.0
        assert float(f1(fires, holds)[feature]) == pytest.approx(expected)
