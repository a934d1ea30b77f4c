"""What a configuration says of the policy and the population that classes are of."""

import pytest

from dtinterp.equivalence.config import EquivalenceConfig


@pytest.mark.parametrize(
    ("settings", "asks", "population"),
    [
        ({}, "asked for 0.892", "contexts of its own play after 0 to 12 random actions"),
        ({"asked": "attainable"}, "asked for what is still attainable", "contexts of its own play"),
        ({"contexts": "plays", "target_return": 0.0}, "asked for 0", "contexts of plays of up to 3 steps"),
        ({"contexts": "held-out"}, "asked for what each demonstration returns", "held-out contexts"),
        ({"contexts": "successful", "asked": "target"}, "asked for 0.892", "successful demonstrations"),
    ],
)
def test_policy_and_population_have_words(settings, asks, population):
    config = EquivalenceConfig(**settings)
    assert config.asks == asks
    assert population in config.population


def test_all_is_replaced_at_once_where_observations_enter_and_nowhere_else():
    assert EquivalenceConfig(n_joint=10).joint.n_verified == 20
    assert EquivalenceConfig().joint.n_rounds > 0
    assert EquivalenceConfig(site="blocks.1.hook_resid_pre").joint.n_rounds == 0
