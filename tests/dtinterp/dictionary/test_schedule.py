import pytest
import torch

from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.schedule import Schedule, set_learning_rate
from dtinterp.dictionary.transcoders.map_config import MapConfig

CONFIGS = [FitConfig(n_steps=100, learning_rate=0.01), MapConfig(n_steps=100, learning_rate=0.01)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_the_learning_rate_falls_over_the_last_fifth(config: Schedule) -> None:
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    rates = []
    for step in (1, 80, 91, 100):
        set_learning_rate(optimiser, config, step)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.0005])
