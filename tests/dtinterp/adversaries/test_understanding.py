from dataclasses import replace

import torch

from dtinterp.adversaries.problem import Found
from dtinterp.adversaries.understanding import SearchAids, Understanding, understood


def test_what_is_given_is_used(problem, features, random_model):
    made = problem()
    aids = SearchAids(features, others={"twin": random_model})
    found = understood(made, [Found((3,), 0.0)], aids, returns=(0.5,), seed=0)
    assert [each.edits for each in found.explanations] == [made.table.words([3])]
    assert {each.site for each in found.drivers} == {"hook_obs_embed"}
    itself, twin = found.transfers
    assert (itself.model, twin.model) == ("itself", "twin")
    assert itself.edited == twin.edited


def test_a_dictionary_of_another_site_explains_no_edit(problem, features):
    aids = SearchAids(replace(features, site="blocks.1.hook_resid_pre"))
    assert aids.of_embedding is None
    found = understood(problem(), [Found((3,), 0.0)], aids, returns=(0.5,), seed=0)
    assert found.explanations[0].features == ()
    assert found.drivers == ()


def test_a_feature_is_not_followed_to_the_logits(problem, linear):
    assert understood(problem(linear), [], SearchAids(), returns=(), seed=0) == Understanding()
    assert torch.is_grad_enabled()
