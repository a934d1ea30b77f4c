"""The sides that a model was trained and validated on, from the config of its training."""

from dtinterp.dataset.split import Split, split
from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import TrainConfig


def split_of(trajectories: Trajectories, config: TrainConfig) -> Split:
    """Return the sides that a model of this config was trained and validated on."""
    return split(trajectories, share=config.held_out, generator=generator(config.seed, "model/split"))
