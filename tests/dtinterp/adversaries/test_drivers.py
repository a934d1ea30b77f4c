from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from dtinterp.adversaries.drivers import FeatureAt, driver_tree
from dtinterp.adversaries.objectives.actions import FlipLogits
from dtinterp.dictionary.dictionary import encode_dense
from dtinterp.foundation.errors import UserError

TURN = FlipLogits(1, 4)


@pytest.fixture(scope="module")
def chain(features):
    return [
        replace(features, site=site)
        for site in ("blocks.1.hook_resid_pre", "blocks.0.hook_resid_pre", "hook_obs_embed")
    ]


@pytest.fixture(scope="module")
def tree(problem, chain):
    return driver_tree(problem().window, TURN, chain, n_drivers=2)


def test_each_driver_is_a_target_one_site_below(tree, chain):
    assert [each.site for each in tree[:1]] == [chain[0].site]
    for above, below in pairwise(chain):
        drivers = {driver.at.title for each in tree if each.site == above.site for driver in each.drivers}
        assert {each.target for each in tree if each.site == below.site} == drivers
    sites = [each.site for each in chain]
    assert all(driver.depth == sites.index(driver.at.site) for each in tree for driver in each.drivers)


def test_where_nothing_lies_between_attribution_is_the_effect(tree):
    """From the embedding to the first block's stream time is added, and nothing else: pre-activations are linear."""
    linear = [each for each in tree if each.site == "hook_obs_embed"]
    assert linear
    for ranking in linear:
        for driver in ranking.drivers:
            assert driver.attribution == pytest.approx(driver.effect, abs=1e-3, rel=1e-3)
        assert ranking.rank_correlation > 0.8  # features of other frames have none of either, but for rounding


def test_effects_are_those_of_the_feature_taken_out(problem, tree, chain):
    window, site = problem().window, chain[0].site
    nothing = torch.zeros(1, 5, 16)
    with torch.no_grad():
        rows = window.caught(nothing, [site])[site][0, 1::3][5:]
    codes = encode_dense(chain[0], rows)
    for driver in tree[0].drivers:
        at = driver.at
        assert driver.activation == pytest.approx(float(codes[at.frame, at.feature]), abs=1e-4)
        token = 3 * (5 + at.frame) + 1

        def removed(x, hook, at=at, token=token):  # noqa: ARG001
            x[:, token] -= codes[at.frame, at.feature] * chain[0].W_dec[at.feature] * chain[0].scale
            return x

        with torch.no_grad():
            logits = window.hooked(nothing, [(site, removed)])[:, -1]
        value = float(TURN.of_logits(window, logits))
        original = float(TURN.of_logits(window, window.original[None]))
        assert driver.effect == pytest.approx(original - value, abs=1e-3)


def test_sites_must_go_down(problem, chain):
    window = problem().window
    with pytest.raises(UserError, match="expected sites from the deepest to the shallowest of hook_obs_embed"):
        driver_tree(window, TURN, chain[::-1])
    with pytest.raises(UserError, match=r"read blocks.0.mlp.hook_post, expected sites"):
        driver_tree(window, TURN, [replace(chain[0], site="blocks.0.mlp.hook_post")])


def test_titles_say_where():
    assert FeatureAt("hook_obs_embed", 2, 9).title == "feature 9 at hook_obs_embed of frame 2"
