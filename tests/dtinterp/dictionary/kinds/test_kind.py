import pytest

from dtinterp.dictionary.kinds.autoencoders.l1 import L1
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError


def test_topk_keeps_at_least_one_feature() -> None:
    with pytest.raises(UserError, match=r"TopK has k=0, expected at least 1: give a larger k\."):
        TopK(0)


@pytest.mark.parametrize("coefficient", [-1.0, float("nan"), float("inf")])
def test_the_price_of_an_activation_is_a_number_from_zero(coefficient: float) -> None:
    with pytest.raises(UserError, match=f"L1 has coefficient={coefficient}, expected a number from 0: give another"):
        L1(coefficient)


def test_a_free_activation_is_allowed() -> None:
    assert L1(0.0).coefficient == 0


def test_pca_keeps_at_least_one_component() -> None:
    with pytest.raises(UserError, match=r"Pca has n_components=0, expected at least 1: give a larger number\."):
        Pca(0)
