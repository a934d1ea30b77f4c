import pytest
import torch

from dtinterp.equivalence.explain.class_features import class_features, dimensions, participation_ratio
from dtinterp.equivalence.partition import Partition


def test_features_of_a_class_are_shared_by_all_or_differ_to_no_effect():
    codes = torch.tensor(
        [
            # 0  always, 1 class 0 only, 2 one member of class 0, 3 the single frame
            [1.0, 2.0, 0.0, 0.0],
            [1.0, 3.0, 5.0, 0.0],
            [1.0, 0.5, 0.0, 0.0],
            [2.0, 0.0, 0.0, 1.0],
        ]
    )
    (found,) = class_features(Partition(torch.tensor([0, 0, 0, 1]), "drawn"), codes[:, None])
    assert (found.label, found.n_members) == (0, 3)
    assert found.shared == (1,)
    assert found.ignored == (2,)


def test_a_feature_is_active_in_a_frame_where_it_is_in_half_of_the_windows():
    codes = torch.zeros(3, 4, 2)
    codes[:2, :2, 0] = 1.0
    codes[0, 0, 1] = 1.0
    (found,) = class_features(Partition(torch.tensor([0, 0, 1]), "drawn"), codes)
    assert (found.shared, found.ignored) == ((0,), ())


def test_the_largest_class_comes_first_and_single_frames_not_at_all():
    partition = Partition(torch.tensor([0, 1, 1, 2, 2, 2]), "drawn")
    assert [each.label for each in class_features(partition, torch.zeros(6, 1, 2))] == [2, 1]


@pytest.mark.parametrize("k", [1, 3, 7])
def test_rows_spread_evenly_over_k_dimensions_take_up_k(k):
    rows = torch.cat([torch.eye(k), -torch.eye(k)]) @ torch.linalg.qr(torch.randn(9, 9))[0][:k]
    assert participation_ratio(rows) == pytest.approx(k, rel=1e-5)


def test_rows_that_are_all_the_same_take_up_none():
    assert participation_ratio(torch.ones(4, 5)) == 0


def test_frames_that_count_as_one_take_up_fewer_dimensions():
    embedding = torch.cat([torch.eye(4), -torch.eye(4)])
    found = dimensions(embedding, [0, 0, 0, 0, 4, 4, 4, 4])
    assert found.embeddings == pytest.approx(4, rel=1e-5)
    assert found.representatives == pytest.approx(1, rel=1e-5)
    assert found.representatives_alike == pytest.approx(1, rel=1e-5)
