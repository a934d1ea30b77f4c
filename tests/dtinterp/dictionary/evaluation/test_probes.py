"""Probes, on rows in which the facts were planted."""

import numpy as np
import pytest
import torch

from dtinterp.dictionary.evaluation.probes import one_each, probe_facts
from dtinterp.foundation.errors import UserError

D = 10
NAMES = ("planted", "absent", "constant")


def _tables(n, seed):
    rng = torch.Generator().manual_seed(seed)
    facts = torch.stack(
        [torch.randint(3, (n,), generator=rng), torch.randint(2, (n,), generator=rng), torch.zeros(n).long()], dim=1
    )
    directions = torch.randn(3, D, generator=torch.Generator().manual_seed(9))
    return 0.3 * torch.randn(n, D, generator=rng) + directions[facts[:, 0]], facts


@pytest.fixture(scope="module")
def probes():
    fitted, held_out = _tables(300, 0), _tables(200, 1)
    return probe_facts(*fitted, *held_out, names=NAMES, generator=np.random.default_rng(0))


def test_a_planted_fact_is_read_off_rows_that_were_not_fitted(probes):
    assert probes["planted"].accuracy.low > 0.9
    assert (probes["planted"].n_classes, probes["planted"].accuracy.n, probes["planted"].n_fitted) == (3, 200, 300)


def test_a_fact_that_is_not_there_is_read_off_no_better_than_by_guessing(probes):
    assert probes["absent"].accuracy.low < 0.5 < probes["absent"].accuracy.high


def test_shuffled_labels_are_learnt_by_heart_at_most(probes):
    assert probes["planted"].shuffled.high < 0.6
    assert probes["planted"].majority.high < 0.6
    assert probes["planted"].memorised.estimate > probes["planted"].shuffled.estimate


def test_a_fact_that_never_varies_has_no_probe(probes):
    assert list(probes) == ["planted", "absent"]


def test_each_row_is_taken_once_for_each_truth_behind_it():
    rows = torch.randn(5, D)
    member = torch.tensor([0, 0, 1, 1, 0])
    facts = torch.tensor([[1], [1], [1], [2], [3]])
    assert one_each(rows, member, facts).tolist() == [True, False, True, True, True]


def test_facts_of_other_rows_are_refused():
    rows, facts = _tables(20, 0)
    with pytest.raises(UserError, match=r"The facts have shape \(20, 3\) for 20 rows and 2 names"):
        probe_facts(rows, facts, rows, facts, names=("one", "two"), generator=np.random.default_rng(0))


def test_rows_with_nan_are_refused():
    rows, facts = _tables(20, 0)
    with pytest.raises(UserError, match="20 of 20 rows hold NaN"):
        probe_facts(rows * torch.nan, facts, rows, facts, names=NAMES, generator=np.random.default_rng(0))
