import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from dtinterp.equivalence.classes.linkage import complete_linkage


def _linked(distance: np.ndarray, threshold: float) -> np.ndarray:
    first, second = np.nonzero(np.triu(distance <= threshold, 1))
    return complete_linkage(first, second, distance[first, second], n_frames=len(distance))


def _distances(seed: int, n_frames: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_frames, 2))
    distance = np.abs(points[:, None] - points).sum(-1) * rng.uniform(0.9, 1.1, size=(n_frames, n_frames))
    return np.triu(distance, 1) + np.triu(distance, 1).T


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.1, 0.5, 1.5, 100.0])
def test_the_classes_are_those_of_the_whole_table(seed, threshold):
    distance = _distances(seed, 60)
    whole = fcluster(linkage(squareform(distance), method="complete"), threshold, criterion="distance")
    assert adjusted_rand_score(whole, _linked(distance, threshold)) == 1


def test_all_pairs_of_a_class_are_close():
    distance = _distances(7, 80)
    label = _linked(distance, 0.8)
    assert distance[label[:, None] == label].max() <= 0.8


def test_frames_at_no_distance_come_together():
    group = np.arange(12) // 4
    distance = (group[:, None] != group).astype(float)
    assert adjusted_rand_score(group, _linked(distance, 0.0)) == 1


def test_a_chain_of_close_pairs_is_no_class():
    label = complete_linkage(np.array([0, 1]), np.array([1, 2]), np.array([0.2, 0.1]), n_frames=3)
    assert label[1] == label[2] != label[0]


def test_without_pairs_every_frame_is_alone():
    nothing = np.zeros(0, dtype=np.int64)
    assert complete_linkage(nothing, nothing, np.zeros(0), n_frames=3).tolist() == [0, 1, 2]
