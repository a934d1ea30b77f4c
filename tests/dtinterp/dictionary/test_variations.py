import pytest
import torch

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.fit import fit_stack
from dtinterp.dictionary.kinds.autoencoders.batch_topk import BatchTopK
from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.dictionary.variations import Variations, consistencies, varied
from dtinterp.foundation.errors import UserError


def test_every_combination_is_fitted():
    found = varied(FitConfig(BatchTopK(3)), Variations(n_features=(16, 32), k=(2, 4), seeds=(0, 5)))
    assert len(found) == 8
    assert {(config.width, config.kind.k, config.member) for config in found if isinstance(config.kind, BatchTopK)} == {
        (width, k, seed) for width in (16, 32) for k in (2, 4) for seed in (0, 5)
    }


def test_prices_are_varied_where_there_are_some():
    found = varied(FitConfig(L1(1.0), width=16), Variations(coefficient=(0.5, 2.0)))
    assert [config.kind for config in found] == [L1(0.5), L1(2.0)]


def test_without_variations_the_configuration_is_what_it_was():
    config = FitConfig(TopK(3), width=20, member=2)
    assert varied(config, Variations()) == [config]


@pytest.mark.parametrize(
    ("kind", "variations", "message"),
    [
        (L1(1.0), Variations(k=(2,)), "L1 has no k: vary what it has"),
        (TopK(2), Variations(coefficient=(1.0,)), "TopK has no coefficient"),
        (TopK(2), Variations(k=(99,)), "TopK has k=99, expected at most the width 16"),
        (TopK(2), Variations(seeds=(1, 1)), "2 dictionaries called 'topk-16-k2-m1'"),
        (Pca(4), Variations(n_features=(16, 32)), "2 dictionaries called 'pca-4'"),
    ],
)
def test_impossible_combinations_are_refused(kind, variations, message):
    with pytest.raises(UserError, match=message):
        varied(FitConfig(kind, width=16), variations)


def test_a_width_that_no_dictionary_has_is_refused_before_any_combination():
    with pytest.raises(UserError, match="n_features holds 0, expected numbers of at least 1"):
        Variations(n_features=(0,))


def test_only_seeds_are_held_against_each_other():
    configs = varied(FitConfig(TopK(2), n_steps=5), Variations(n_features=(8, 16), seeds=(0, 1, 2)))
    rows = torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
    dictionaries = fit_stack(rows, configs, generator=torch.Generator().manual_seed(1))
    found = consistencies(configs, dictionaries)
    assert found[0] == found[1] == found[2] != found[3]
    assert found[0] is not None
    assert (found[0].n_dictionaries, found[0].matched.n) == (3, 3 * 8)


def test_one_seed_is_consistent_with_nothing():
    configs = varied(FitConfig(TopK(2), n_steps=2), Variations(n_features=(8, 16)))
    rows = torch.randn(60, 6)
    assert consistencies(configs, fit_stack(rows, configs, generator=torch.Generator())) == [None, None]
