from dataclasses import replace

import pytest
import torch

from dtinterp.adversaries.objectives.features import FlipFeature
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.autoencoders.topk import TopK


@pytest.fixture(scope="module")
def features() -> Dictionary:
    rng = torch.Generator().manual_seed(0)
    W_enc = torch.randn(16, 12, generator=rng)
    return Dictionary(
        W_enc=W_enc,
        b_enc=torch.randn(12, generator=rng),
        W_dec=W_enc.T.contiguous(),
        b_dec=torch.randn(16, generator=rng),
        kind=TopK(4),
        site="hook_obs_embed",
        name="random",
        scale=torch.tensor(1.7),
    )


@pytest.mark.parametrize("level", [-3.0, 0.0, 5.0])
def test_at_the_embedding_values_are_sums_of_what_each_edit_adds(problem, features, level):
    made = problem(FlipFeature(features, 3, slot=0, level=level), edits="frame")
    gains = made.linear()
    sets = made.allowed(torch.combinations(torch.arange(len(made.table)), 2)[::37])
    torch.testing.assert_close(made.values(sets), made.original + gains[sets].sum(1), atol=1e-3, rtol=1e-4)
    assert made.original >= 0


def test_first_order_is_exact_where_the_objective_is_linear(problem, features):
    made = problem(FlipFeature(features, 5, slot=1), edits="frame")
    torch.testing.assert_close(made.first_order(), made.linear(), atol=1e-3, rtol=1e-4)


def test_edits_of_other_frames_change_nothing_at_the_embedding(problem, features):
    made = problem(FlipFeature(features, 3, slot=2), edits="frame")
    elsewhere = ~made.table.is_changed.unflatten(1, (5, 49))[:, 2].any(1)
    assert (made.linear()[elsewhere] == 0).all()
    assert elsewhere.any()


def test_deeper_sites_are_not_linear(problem, features):
    made = problem(FlipFeature(replace(features, site="blocks.1.hook_resid_pre"), 3, slot=4), edits="world")
    assert made.linear() is None
    singles = torch.arange(len(made.table))[:, None]
    assert made.values(singles).std() > 0
