from dataclasses import replace

import pytest
import torch

from dtinterp.adversaries.explanation import DIRECT, UNDONE, explain
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.identity import Identity


@pytest.fixture(scope="module")
def axes_of_embedding() -> Dictionary:
    """A dictionary that loses nothing: its features are the axes."""
    eye, zeros = torch.eye(16), torch.zeros(16)
    return Dictionary(
        eye, zeros, eye, zeros, kind=Identity(), site="hook_obs_embed", name="axes", scale=torch.tensor(1.0)
    )


@pytest.fixture(scope="module")
def found(problem, axes_of_embedding):
    """An edit of the first frame alone, explained."""
    made = problem(edits="frame")
    edit = next(
        row for row, each in enumerate(made.table.edits) if "ball for empty at (4,2), in the world" in each.words
    )
    added = made.differences[edit]
    rng = torch.Generator().manual_seed(0)
    words = made.table.words([edit])
    return (
        made,
        added,
        explain(made.window, made.objective, added, edits=words, features=axes_of_embedding, generator=rng),
    )


def test_all_that_the_dictionary_sees_put_back_undoes_the_edit(found):
    _, _, explained = found
    assert explained.all_features == pytest.approx(1, abs=1e-3)
    assert [each.restored for each in explained.features] == sorted(each.restored for each in explained.features)[::-1]
    assert all(each.before != each.after for each in explained.features)


def test_values_are_those_of_the_problem(found):
    made, _, explained = found
    edit = made.table.words(range(len(made.table))).index(explained.edits[0])
    assert explained.original == pytest.approx(made.original, abs=1e-4)
    assert explained.edited == pytest.approx(float(made.values(torch.tensor([[edit]]))), abs=1e-4)


def test_a_head_is_put_back_as_by_hand(found):
    made, added, explained = found
    window, site = made.window, "blocks.1.attn.hook_z"
    before = window.caught(torch.zeros_like(added)[None], [site])[site]

    def put_back(z, hook):  # noqa: ARG001
        z[:, :, 1] = before[:, :, 1]
        return z

    with torch.no_grad():
        logits = window.hooked(added[None], [(site, put_back)])[:, -1]
        value = float(made.objective.of_logits(window, logits))
    share = (value - explained.edited) / (explained.original - explained.edited)
    conduit = next(each for each in explained.conduits if each.name == "head 1.1")
    assert conduit.restored == pytest.approx(share, abs=1e-3)


def test_conduits_are_all_heads_and_mlps_and_the_path_undoes_it(found):
    _, _, explained = found
    names = {each.name for each in explained.conduits}
    assert names == {"head 0.0", "head 0.1", "head 1.0", "head 1.1", "MLP 0", "MLP 1", DIRECT}
    assert explained.path == tuple(each.name for each in explained.conduits)[: len(explained.path)]
    assert explained.path_restored >= UNDONE
    assert (explained.random_restored is None) == (len(explained.path) == len(names))


def test_without_a_dictionary_no_feature_is_said_to_move(problem):
    made = problem()
    rng = torch.Generator().manual_seed(0)
    found = explain(made.window, made.objective, made.differences[0], edits=("x",), features=None, generator=rng)
    assert (found.features, found.all_features) == ((), None)


def test_an_edit_that_moves_no_feature_is_not_explained_by_any(problem, axes_of_embedding):
    made = problem()
    blind = replace(axes_of_embedding, W_enc=torch.zeros(16, 16))
    rng = torch.Generator().manual_seed(0)
    found = explain(made.window, made.objective, made.differences[0], edits=("x",), features=blind, generator=rng)
    assert found.features == ()
    assert found.all_features == pytest.approx(0, abs=1e-5)
