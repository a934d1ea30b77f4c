from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dtinterp.activations.harvest import Activations
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.features.describe import describe_rows
from dtinterp.features.table import FEATURES
from dtinterp.foundation.artefacts.codec import Beside, load, save
from dtinterp.foundation.errors import UserError


def _assert_equal(first: object, second: object) -> None:
    if isinstance(first, Tensor):
        assert isinstance(second, Tensor)
        torch.testing.assert_close(second, first, rtol=0, atol=0, equal_nan=True)
    elif is_dataclass(first):
        assert type(first) is type(second)
        for field in fields(first):
            _assert_equal(getattr(first, field.name), getattr(second, field.name))
    else:
        assert first == second


@pytest.mark.parametrize("has_embedding", [True, False])
def test_a_saved_table_comes_back_to_the_bit(
    has_embedding: bool,
    dead: Dictionary,
    activations: Activations,
    trajectories: Trajectories,
    items: Tensor,
    tmp_path: Path,
) -> None:
    W_obs = torch.ones(items.shape[1], dead.d_model) if has_embedding else None
    table = describe_rows(dead, activations, trajectories=trajectories, items=items, W_obs=W_obs)
    parent = save(tmp_path / "dictionary", dead, parents=(), seed=0)
    artefact = save(tmp_path / "features", table, parents=[parent], seed=0, beside=Beside(metrics={"gate": "passes"}))
    _assert_equal(table, load(tmp_path / "features", FEATURES, parent=parent))
    assert artefact.manifest.metrics == {"n_features": 24, "n_dead": int((table.density == 0).sum()), "gate": "passes"}


def test_a_table_of_another_dictionary_is_refused(
    dead: Dictionary, activations: Activations, trajectories: Trajectories, items: Tensor, tmp_path: Path
) -> None:
    table = describe_rows(dead, activations, trajectories=trajectories, items=items)
    parent = save(tmp_path / "dictionary", dead, parents=(), seed=0)
    save(tmp_path / "features", table, seed=0)
    with pytest.raises(UserError, match="was not made from"):
        load(tmp_path / "features", FEATURES, parent=parent)
