from dataclasses import replace

import pytest
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary, encode_dense
from dtinterp.features.describe import DescribeConfig, describe
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
    return describe(
        dead, activations, trajectories=trajectories, items=items, W_obs=model.W_obs, config=DescribeConfig(n_top=4)
    )


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
    assert describe(dead, activations, trajectories=trajectories, items=items).maps.written is None


def test_rows_of_another_site_are_refused(
    dictionary: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor
) -> None:
    elsewhere = replace(activations, site="blocks.0.hook_resid_pre")
    with pytest.raises(
        UserError, match=r"was fitted at 'hook_obs_embed', the rows are from 'blocks\.0\.hook_resid_pre'"
    ):
        describe(dictionary, elsewhere, trajectories=trajectories, items=items)


def test_rows_of_windows_made_by_hand_are_refused(
    dictionary: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor
) -> None:
    step = activations.step.clone()
    step[:2] = -1
    step[2] = trajectories.n_steps
    with pytest.raises(UserError, match=r"3 of \d+ rows belong to no step of the trajectories"):
        describe(dictionary, replace(activations, step=step), trajectories=trajectories, items=items)


def test_at_least_one_frame_is_shown() -> None:
    with pytest.raises(UserError, match="n_top is 0, expected at least 1: give a larger number"):
        DescribeConfig(n_top=0)
