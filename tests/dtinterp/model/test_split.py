import torch

from dtinterp.dataset.split import split
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.split import split_of


def test_the_sides_are_those_that_the_seed_and_the_share_of_a_training_draw(trajectories):
    config = TrainConfig(model=ModelConfig(d_model=16, n_layers=1, n_heads=2), held_out=0.3, seed=4)
    sides = split_of(trajectories, config)
    drawn = split(trajectories, share=0.3, generator=generator(4, "model/split"))
    assert torch.equal(sides.held_out, drawn.held_out)
    assert torch.equal(sides.train, drawn.train)
