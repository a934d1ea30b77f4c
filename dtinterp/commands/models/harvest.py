"""The command that writes the rows of a site to disk."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from dtinterp.activations.harvest import BATCH
from dtinterp.activations.sites import OBSERVATION_EMBEDDING, check_site
from dtinterp.activations.storage import HarvestSource, record_harvest
from dtinterp.commands.claiming import claims_out
from dtinterp.dataset.windows import Windows, window
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import generator
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True)
class HarvestConfig:
    """Which rows are harvested."""

    site: str = OBSERVATION_EMBEDDING
    """where in the model, at observation tokens: any hook, such as blocks.0.hook_resid_post or blocks.1.attn.hook_z"""
    split: Literal["train", "held-out"] = "train"
    """windows of the episodes that the model was trained on, or those that it never saw"""
    n_windows: int = 0
    """windows, drawn without replacement; 0 is one that ends at each step"""
    seed: int = 0
    """seed of the draw"""

    def __post_init__(self) -> None:
        """Refuse a negative number."""
        require_at_least(self, 0, "n_windows")
        require_sensible(self)


@claims_out
def harvest(
    config: HarvestConfig,
    out: Path = Path("results/activations"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Write a model's rows at a site to disk as they come, each with the step and the slot that it belongs to.

    Memory stays flat whatever their number. `tensors.value.safetensors` holds the rows alone: `dtinterp.dictionary.fit`
    takes it as it is, and so does anything that reads safetensors.

    Args:
        config: which rows.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    check_site(subject.model, config.site)
    settings = {"side": config.split.replace("-", "_"), **asdict(config)}
    del settings["split"]
    source = HarvestSource(subject.trained, subject.demonstrations, _windows(subject, config), subject.items)
    return record_harvest(out, source, site=config.site, settings=settings, seed=config.seed, replace=replace)


def _windows(subject: Subject, config: HarvestConfig) -> Iterator[Windows]:
    """Yield the windows a batch at a time."""
    steps = subject.split.train if config.split == "train" else subject.split.held_out
    if config.n_windows:
        steps = steps[torch.randperm(len(steps), generator=generator(config.seed, "harvest/windows"))]
        steps = steps[: config.n_windows]
    with progress(f"harvesting {config.site}", len(steps)) as bar:
        for some in steps.split(BATCH):
            yield window(subject.trajectories, some, subject.model.cfg.n_slots)
            bar.advance(len(some))
