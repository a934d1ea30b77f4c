from dataclasses import replace

import pytest
import torch

from dtinterp.adversaries.objectives.features import FlipFeature


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
