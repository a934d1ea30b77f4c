import pytest
import torch

from dtinterp.features.labels.table import Counts, LabelConfig, good_share, verdict


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    counts = Counts(torch.tensor([6]), torch.tensor([8]), torch.tensor([12]), 40)
    precision, recall = 6 / 8, 6 / 12
    assert float(counts.f1) == pytest.approx(2 * precision * recall / (precision + recall))
    assert (float(counts.precision), float(counts.recall)) == (precision, recall)


def test_saying_always_lifts_nothing_and_saying_it_right_lifts_all() -> None:
    always = Counts(torch.tensor([30]), torch.tensor([40]), torch.tensor([30]), 40)
    right = Counts(torch.tensor([30]), torch.tensor([30]), torch.tensor([30]), 40)
    assert float(always.lift) == pytest.approx(0, abs=1e-6)
    assert float(right.lift) == pytest.approx(1)


def test_a_feature_that_nearly_always_fires_has_no_good_label_in_always() -> None:
    counts = Counts(torch.tensor([38]), torch.tensor([40]), torch.tensor([38]), 40)
    assert float(counts.f1) > 0.9
    assert verdict(counts, counts, LabelConfig()).tolist() == [1]


def test_the_share_leaves_out_what_cannot_be_judged() -> None:
    share = good_share(torch.tensor([0, 1, 1, 1, 2, 2, 3]))
    assert (share.estimate, share.n) == (0.25, 4)
    assert good_share(torch.tensor([2, 3])).n == 1
