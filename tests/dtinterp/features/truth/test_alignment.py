import numpy as np
import pytest
import torch
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.features.table import Alignment, FactValue
from dtinterp.features.truth import alignment as module
from dtinterp.features.truth.alignment import align, shared_facts
from dtinterp.foundation.errors import UserError

NAMES = ("instruction", "x", "top_target")
N_ROWS = 200


def _facts() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    instruction = torch.randint(2, (N_ROWS,), generator=generator)
    x = torch.randint(1, 4, (N_ROWS,), generator=generator)
    return torch.stack([instruction, x, torch.ones_like(x)], dim=1).short()


def _value() -> torch.Tensor:
    """A feature that is the instruction, one that is its opposite, noise with ties, a dead one, a constant one."""
    facts = _facts()
    noise = torch.randn(N_ROWS, generator=torch.Generator().manual_seed(1)).relu().round(decimals=1)
    is_key = (facts[:, 0] == 0).float()
    return torch.stack([2 * is_key, 1 - is_key, noise, torch.zeros(N_ROWS), torch.ones(N_ROWS)], dim=1)


@pytest.fixture
def found() -> Alignment:
    return align(_value(), _facts(), NAMES)


def test_only_values_that_vary_are_asked_about(found: Alignment) -> None:
    assert [each.label for each in found.fact_values] == [
        "instruction = key",
        "instruction = ball",
        "x = 1",
        "x = 2",
        "x = 3",
    ]


def test_every_number_is_what_a_library_computes(found: Alignment) -> None:
    facts, value = _facts(), _value()
    for place, each in enumerate(found.fact_values):
        holds = (facts[:, NAMES.index(each.fact)] == each.value).numpy()
        assert found.n_true[place] == holds.sum()
        assert float(found.base_rate[place]) == pytest.approx(holds.mean())
        for feature in range(3):
            column = value[:, feature].numpy()
            assert float(found.correlation[feature, place]) == pytest.approx(np.corrcoef(holds, column)[0, 1], abs=1e-6)
            assert float(found.auroc[feature, place]) == pytest.approx(roc_auc_score(holds, column), abs=1e-6)
            assert float(found.precision[feature, place]) == pytest.approx(precision_score(holds, column > 0), abs=1e-6)
            assert float(found.recall[feature, place]) == pytest.approx(recall_score(holds, column > 0), abs=1e-6)


def test_a_planted_fact_is_found(found: Alignment) -> None:
    assert found.fact_values[int(found.best[0])] == FactValue("instruction", 0)
    assert [float(table[0, 0]) for table in (found.correlation, found.auroc, found.precision, found.recall)] == [1] * 4
    assert float(found.correlation[1, 0]) == -1


def test_counts_belong_to_each_other(found: Alignment) -> None:
    assert found.n_rows == N_ROWS
    assert found.n_active.tolist() == [int((column != 0).sum()) for column in _value().T]
    assert (found.n_both[:, 0] + found.n_both[:, 1]).tolist() == found.n_active.tolist()


def test_a_feature_that_never_changes_tells_nothing(found: Alignment) -> None:
    for feature in (3, 4):
        assert (found.correlation[feature] == 0).all()
        assert (found.auroc[feature] == 0.5).all()
    assert found.precision[3].isnan().all()
    torch.testing.assert_close(found.precision[4], found.base_rate)


def test_the_control_is_the_best_correlation_with_facts_from_half_the_table_away(found: Alignment) -> None:
    facts, column = _facts(), _value()[:, 2].numpy()
    moved = torch.cat([facts[N_ROWS // 2 :], facts[: N_ROWS // 2]])
    best = max(
        abs(np.corrcoef(column, (moved[:, NAMES.index(each.fact)] == each.value).numpy())[0, 1])
        for each in found.fact_values
    )
    assert float(found.control[2]) == pytest.approx(best, abs=1e-6)


def test_the_control_of_a_planted_fact_is_far_below_it(found: Alignment) -> None:
    assert found.control[0] < 0.3


def test_working_in_blocks_changes_nothing(found: Alignment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEATURES_AT_ONCE", 2)
    again = align(_value(), _facts(), NAMES)
    torch.testing.assert_close(again.auroc, found.auroc)
    torch.testing.assert_close(again.correlation, found.correlation)


def test_facts_that_never_change_are_refused() -> None:
    with pytest.raises(
        UserError, match="No fact varies over the 200 rows: describe features on rows from more than one"
    ):
        align(_value(), torch.ones(N_ROWS, 3, dtype=torch.int16), NAMES)


def test_rows_without_facts_are_refused():
    with pytest.raises(UserError, match="these demonstrations carry no facts to describe features by: give some"):
        align(_value(), _facts()[:, :0], ())


def test_shared_facts_are_those_that_a_slow_loop_finds(trajectories: Trajectories) -> None:
    for frames in ([0], [0, 1], [2, 5, 7]):
        visits = [step for step in range(trajectories.n_steps) if int(trajectories.frame_id[step]) in frames]
        expected = []
        for column, name in enumerate(trajectories.fact_names):
            values = {int(trajectories.facts[step, column]) for step in visits}
            if len(values) == 1:
                expected.append(FactValue(name, values.pop()))
        assert shared_facts(trajectories, torch.tensor(frames)) == tuple(expected)


def test_more_frames_never_share_more_facts(trajectories: Trajectories) -> None:
    few = shared_facts(trajectories, torch.tensor([0]))
    many = shared_facts(trajectories, torch.tensor([0, 1, 2, 3]))
    assert set(many) <= set(few)


def test_frames_that_no_step_shows_share_nothing(trajectories: Trajectories) -> None:
    assert shared_facts(trajectories, torch.tensor([], dtype=torch.int64)) == ()
