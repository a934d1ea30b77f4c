import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from dtinterp.equivalence.explain.prediction import auroc, predict
from dtinterp.equivalence.relation import Relation
from dtinterp.foundation.errors import UserError

FRAMES = torch.arange(40)


def relation(table: torch.Tensor, name: str = "drawn") -> Relation:
    clean = torch.maximum(table, table.T).fill_diagonal_(0).float()
    return Relation(clean, clean, torch.ones_like(clean).long(), torch.arange(len(clean)), name)


def drawn(seed: int = 0, name: str = "drawn") -> Relation:
    return relation(torch.rand(40, 40, generator=torch.Generator().manual_seed(seed)), name)


def judged(truth: Relation, *distances: Relation, epsilon: float = 0.5, n_draws: int = 60):
    return predict(truth, distances, epsilon=epsilon, n_draws=n_draws, generator=np.random.default_rng(0))


def test_the_area_is_that_of_a_slow_loop_over_pairs_of_pairs():
    rng = np.random.default_rng(1)
    positive, distance = rng.random(30) < 0.4, rng.integers(0, 6, 30) / 6
    wins = [
        1.0 if near < far else 0.5 if near == far else 0.0 for near in distance[positive] for far in distance[~positive]
    ]
    assert auroc(positive, distance) == pytest.approx(np.mean(wins))
    assert auroc(positive, distance) == pytest.approx(roc_auc_score(positive, -distance))


def test_a_distance_that_says_what_swaps_say_predicts_all_of_it():
    truth = drawn()
    found = judged(truth, relation(truth.maximum**2, "squared"))
    (squared,) = found.distances
    assert found.n_pairs == 40 * 39 // 2
    assert found.n_interchangeable == int((truth.maximum <= 0.5).triu(1).sum())
    assert (squared.auroc.estimate, squared.auroc.low, squared.precision) == (1, 1, 1)
    assert squared.p_value == pytest.approx(1 / 61)


def test_a_distance_that_knows_nothing_stays_at_one_half():
    (chance,) = judged(drawn(0), drawn(1)).distances
    assert chance.auroc.low < 0.5 < chance.auroc.high
    assert chance.p_value > 0.05


def test_p_values_are_corrected_for_how_many_distances_were_tried():
    truth = drawn()
    alone = judged(truth, truth).distances[0]
    among = judged(truth, truth, *(drawn(seed, f"chance {seed}") for seed in range(1, 5))).distances[0]
    assert among.p_value == pytest.approx(5 * alone.p_value)


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_where_nothing_or_everything_is_interchangeable_there_is_nothing_to_predict(epsilon):
    with pytest.raises(UserError, match="of 780 pairs are within"):
        judged(drawn(), drawn(1), epsilon=epsilon)
