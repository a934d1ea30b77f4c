import pytest
import torch

from dtinterp.features.truth.detection import Detection, Evidence, detect, tellable


def _evidence(seed: int, n_rows: int = 400) -> Evidence:
    """Feature 2 is truth 0 with noise, feature 0 is truth 1 exactly, truth 2 has none."""
    rng = torch.Generator().manual_seed(seed)
    truth = torch.rand(n_rows, 3, generator=rng) < 0.3
    value = torch.rand(n_rows, 4, generator=rng) * (torch.rand(n_rows, 4, generator=rng) < 0.3)
    value[:, 0] = truth[:, 1] * (0.5 + torch.rand(n_rows, generator=rng))
    flipped = truth[:, 0] ^ (torch.rand(n_rows, generator=rng) < 0.05)
    value[:, 2] = flipped.float()
    return Evidence(truth, value)


@pytest.fixture
def found() -> Detection:
    return detect(_evidence(0), _evidence(1), ("noisy", "exact", "none"), torch.Generator().manual_seed(2))


def test_planted_features_are_found_and_judged_on_the_other_side(found: Detection) -> None:
    assert found.feature[:2].tolist() == [2, 0]
    assert float(found.f1[1]) == pytest.approx(1)
    assert float(found.auroc[1]) == pytest.approx(1)
    assert 0.8 < float(found.f1[0]) < 1
    assert float(found.f1[2]) < 0.5
    assert found.coverage == pytest.approx(2 / 3)
    assert found.uniqueness == 1.0


def test_precision_and_recall_are_those_of_a_count(found: Detection) -> None:
    judged = _evidence(1)
    for place, feature in enumerate(found.feature.tolist()):
        pairs = list(zip((judged.value[:, feature] > 0).tolist(), judged.truth[:, place].tolist(), strict=True))
        right = sum(said and holds for said, holds in pairs)
        assert float(found.precision[place]) == pytest.approx(right / sum(said for said, _ in pairs))
        assert float(found.recall[place]) == pytest.approx(right / sum(holds for _, holds in pairs))


def test_truths_of_other_rows_are_told_by_nothing(found: Detection) -> None:
    assert float(found.control.max()) < 0.55  # what saying it half of the time reaches at a base rate of 0.3


def test_a_feature_that_tells_two_truths_is_not_unique() -> None:
    evidence = _evidence(0)
    twice = Evidence(evidence.truth[:, [1, 1]], evidence.value)
    found = detect(twice, twice, ("a", "b"), torch.Generator().manual_seed(0))
    assert (found.coverage, found.uniqueness) == (1.0, 0.5)


def test_nothing_to_tell_is_no_coverage() -> None:
    evidence = _evidence(0)
    nothing = Evidence(evidence.truth[:, :0], evidence.value)
    found = detect(nothing, nothing, (), torch.Generator().manual_seed(0))
    assert (found.coverage, found.uniqueness) == (0.0, 0.0)


def test_truths_that_hardly_vary_on_either_side_are_not_asked_for() -> None:
    searched = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0]], dtype=torch.bool)
    judged = torch.tensor([[1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]], dtype=torch.bool)
    assert tellable(searched, judged, 2).tolist() == [0]
    assert tellable(searched, judged, 1).tolist() == [0, 1, 2]
