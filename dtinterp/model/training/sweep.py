"""Trials of a sweep.yaml: models of several sizes, each trained from several seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictFloat, StrictInt

from dtinterp.foundation.ranges import LARGEST, LARGEST_SEED
from dtinterp.foundation.specifications import Data, distinct, read_yaml
from dtinterp.model.config import ModelConfig, TrainConfig

SWEPT = {"training": {"seed"}, "training.model": {"d_model", "n_layers", "n_heads", "d_mlp"}}
"""What the trials differ in, so that the base must not set it."""


def _known_options(options: Any) -> Any:
    """Refuse names that are no option, which pydantic passes over in a dataclass."""
    if isinstance(options, Mapping):
        _require_known(options, TrainConfig, "training")
        if isinstance(options.get("model"), Mapping):
            _require_known(options["model"], ModelConfig, "training.model")
    return options


def _require_known(options: Mapping[str, Any], kind: type, where: str) -> None:
    known = {field.name for field in fields(kind)} - SWEPT[where]
    strangers = sorted(map(str, options.keys() - known))
    if strangers:
        raise ValueError(f"{where} sets {strangers[0]}, expected options that a sweep does not set itself")


Count = Annotated[StrictInt, Field(ge=1, le=LARGEST)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1), AfterValidator(distinct)]
Seed = Annotated[StrictInt, Field(ge=0, le=LARGEST_SEED)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(distinct)]


class Sweep(Data):
    """Which sizes are trained, all of it."""

    demonstrations: Path
    """folder of the trajectories, as collect wrote it"""
    widths: Counts
    """of the residual stream"""
    layers: Counts
    """blocks of attention and MLP"""
    seeds: Seeds
    """of weights, split and batches"""
    d_head: Count = 32
    """width of a head; a model has as many as fit into its width, at least one, and they share all of it"""
    neurons_per_width: Count = 2
    """neurons of an MLP for each dimension of the residual stream"""
    target_return: Annotated[StrictFloat, Field(ge=0, le=LARGEST)] | None = None
    """return that every model is asked for; none: the highest that the demonstrations achieve"""
    n_episodes: Count = 1000
    """episodes that a model plays, sampled, when it is trained"""
    training: Annotated[TrainConfig, BeforeValidator(_known_options)] = TrainConfig()
    """options of train-model that all trials share"""


@dataclass(frozen=True)
class SweepTrial:
    """One model of a sweep."""

    d_model: int
    n_layers: int
    seed: int

    @property
    def name(self) -> str:
        """The folder that it has."""
        return f"width-{self.d_model}-layers-{self.n_layers}-seed-{self.seed}"


def read_sweep(path: Path) -> Sweep:
    """Read and check a sweep.yaml. Raises `UserError` for the first thing that is wrong with it."""
    return read_yaml(path, Sweep, name="sweep.yaml")


def trials_of(sweep: Sweep) -> list[SweepTrial]:
    """Return every size from the first seed, then from the next: a sweep that is stopped has whole rounds."""
    return [SweepTrial(width, layers, seed) for seed, width, layers in product(sweep.seeds, sweep.widths, sweep.layers)]


def config_of(trial: SweepTrial, sweep: Sweep) -> TrainConfig:
    """Return how a trial is trained. Raises `UserError` where no model has such a shape."""
    shape = replace(
        sweep.training.model,
        d_model=trial.d_model,
        n_layers=trial.n_layers,
        n_heads=max(trial.d_model // sweep.d_head, 1),
        d_mlp=trial.d_model * sweep.neurons_per_width,
    )
    return replace(sweep.training, model=shape, seed=trial.seed)
