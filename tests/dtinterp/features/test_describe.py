from dataclasses import replace

import pytest
import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features import describe as module
from dtinterp.features.describe import DescribeConfig, describe_rows, top_frames
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.transformer import DecisionTransformer


@pytest.fixture
def table(
    dead: Dictionary,
    activations: Activations,
    trajectories: Trajectories,
    items: Float32[Tensor, "frame item"],
    model: DecisionTransformer,
) -> FeatureTable:
    return describe_rows(dead, activations, trajectories=trajectories, items=items, W_obs=model.W_obs, n_top=4)


def test_density_and_mean_value_are_over_the_rows(
    table: FeatureTable, dead: Dictionary, activations: Activations
) -> None:
    value = encode_dense(dead, activations.value)
    for feature in range(table.n_features):
        active = value[:, feature][value[:, feature] != 0]
        assert float(table.density[feature]) == pytest.approx(len(active) / len(value))
        assert float(table.mean_value[feature]) == pytest.approx(float(active.mean()) if len(active) else 0.0, rel=1e-5)


def test_a_dead_feature_is_described_as_such(table: FeatureTable) -> None:
    assert table.density[5] == 0
    assert table.mean_value[5] == 0
    assert (table.top.frame[5] == -1).all()
    assert (table.maps.seen[5] == 0).all()


def test_every_top_frame_leads_back_to_its_step_and_facts(
    table: FeatureTable, dead: Dictionary, activations: Activations, trajectories: Trajectories
) -> None:
    value = encode_dense(dead, activations.value)
    is_there = table.top.frame >= 0
    assert is_there.any()
    for feature, rank in is_there.nonzero().tolist():
        row, step = int(table.top.row[feature, rank]), int(table.top.step[feature, rank])
        assert int(activations.step[row]) == step
        assert int(trajectories.frame_id[step]) == int(table.top.frame[feature, rank])
        assert float(value[row, feature]) == pytest.approx(float(table.top.value[feature, rank]))


def test_facts_are_those_of_the_rows_steps(
    table: FeatureTable, activations: Activations, trajectories: Trajectories
) -> None:
    facts = trajectories.facts[activations.step]
    for place, each in enumerate(table.alignment.fact_values):
        expected = (facts[:, trajectories.fact_names.index(each.fact)] == each.value).sum()
        assert int(table.alignment.n_true[place]) == int(expected)


def test_the_table_knows_where_it_comes_from(table: FeatureTable, dead: Dictionary) -> None:
    assert (table.name, table.site, table.n_features) == (dead.name, dead.site, dead.width)


def test_the_map_of_what_is_written_needs_an_embedding(
    table: FeatureTable, dead: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor
) -> None:
    assert table.maps.written is not None
    assert not table.maps.written.requires_grad
    assert describe_rows(dead, activations, trajectories=trajectories, items=items).maps.written is None


def test_rows_of_another_site_are_refused(
    dictionary: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor
) -> None:
    elsewhere = replace(activations, site="blocks.0.hook_resid_pre")
    with pytest.raises(
        UserError, match=r"was fitted at 'hook_obs_embed', the rows are from 'blocks\.0\.hook_resid_pre'"
    ):
        describe_rows(dictionary, elsewhere, trajectories=trajectories, items=items)


def test_rows_of_windows_made_by_hand_are_refused(
    dictionary: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor
) -> None:
    step = activations.step.clone()
    step[:2] = -1
    step[2] = trajectories.n_steps
    with pytest.raises(UserError, match=r"3 of \d+ rows belong to no step of the trajectories"):
        describe_rows(dictionary, replace(activations, step=step), trajectories=trajectories, items=items)


def test_at_least_one_frame_is_shown() -> None:
    with pytest.raises(UserError, match="n_top is 0, expected at least 1"):
        DescribeConfig(n_top=0)


def _rows(n_rows: int = 300, n_features: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(n_rows, n_features, generator=generator).relu().round(decimals=1)  # with ties and zeros
    value[:, 4] = 0
    frame_id = torch.randint(12, (n_rows,), generator=generator)
    return value, frame_id, torch.randperm(1000, generator=generator)[:n_rows]


def test_top_frames_are_what_a_slow_loop_finds() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    for feature in range(value.shape[1]):
        best: dict[int, tuple[float, int]] = {}
        for row in range(len(value)):
            active, frame = float(value[row, feature]), int(frame_id[row])
            if active != 0 and (frame not in best or active > best[frame][0]):
                best[frame] = (active, row)
        order = sorted(best, key=lambda frame: (-best[frame][0], frame))[:5]
        padding = [-1] * (5 - len(order))
        assert found.frame[feature].tolist() == order + padding
        assert found.row[feature].tolist() == [best[frame][1] for frame in order] + padding
        assert found.step[feature].tolist() == [int(step[best[frame][1]]) for frame in order] + padding
        torch.testing.assert_close(
            found.value[feature, : len(order)], torch.tensor([best[frame][0] for frame in order])
        )


def test_a_dead_feature_has_no_frames() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=3)
    assert found.frame[4].tolist() == found.step[4].tolist() == [-1, -1, -1]
    assert (found.value[4] == 0).all()


def test_more_places_than_frames_stay_empty() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=20)
    assert found.frame.shape == (9, 20)
    assert (found.frame[:, 12:] == -1).all()
    assert (found.frame[0, :12].sort().values == torch.arange(12)).all()


def test_a_component_may_be_negative_on_its_best_frames() -> None:
    value = torch.tensor([[-3.0], [-1.0], [-2.0]])
    found = top_frames(value, frame_id=torch.tensor([0, 1, 2]), step=torch.arange(3), n_top=2)
    assert found.frame.tolist() == [[1, 2]]
    assert found.value.tolist() == [[-1.0, -2.0]]


def test_working_in_blocks_changes_nothing(monkeypatch) -> None:
    value, frame_id, step = _rows()
    whole = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    monkeypatch.setattr(module, "FEATURES_AT_ONCE", 2)
    pieces = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    for part in ("frame", "value", "row", "step"):
        assert torch.equal(getattr(whole, part), getattr(pieces, part))
