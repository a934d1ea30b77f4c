"""Dictionaries on disk become one comparison on the same windows, on disk."""

import dataclasses
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.dictionaries.dissection import Dissection, dissection_of
from dtinterp.dataset.windows import Windows, window
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_each_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.dictionary_comparison import ComparedWindows, DictionaryComparisonConfig, compare
from dtinterp.interventions.linear_mlp import linear_mlp
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True)
class CompareConfig:
    """On which windows dictionaries are compared."""

    comparison: DictionaryComparisonConfig = field(default_factory=DictionaryComparisonConfig)
    """what is ablated and what is listed"""
    n_windows: int = 256
    """held-out windows"""
    n_fit_windows: int = 2048
    """training windows that the linear maps are fitted to"""
    steps: tuple[int, ...] = ()
    """flat steps of the demonstrations whose windows are shown side by side; none: windows that an ablation flips"""
    untrained: bool = False
    """take a model of the same shape that never saw a window, with dictionaries of the same make: the control"""
    n_dictionary_windows: int = 4096
    """training windows that dictionaries of the untrained model are fitted to"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows", "n_dictionary_windows")
        require_each_at_least(self, 0, "steps")
        require_sensible(self)


@claims_out
def compare_features(
    config: CompareConfig,
    dictionaries: tuple[Path, ...] = (),
    out: Path = Path("results/comparison"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Compare dictionaries of one model: errors of single tokens, and what each sees in the same windows.

    The windows shown are those where ablating a head, an MLP or a slot makes a right prediction wrong. Beside that,
    what a linear map in place of each MLP costs while each feature is on, and while it is off.

    Args:
        config: on which windows.
        dictionaries: folders of dictionaries, of any sites of the model.
        out: folder to write.
        model: folder of the model that the dictionaries were fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = open_subject(model, demonstrations, untrained=config.untrained)
    dissections = [_dissected(subject, path, config) for path in dictionaries]
    windows = subject.held_out_windows(config.n_windows, seed=config.comparison.seed)
    fitted = subject.train_windows(config.n_fit_windows, seed=config.comparison.seed)
    found = compare(
        [each.dictionary for each in dissections],
        ComparedWindows(
            subject.model, windows, subject.items, subject.trajectories.episode[windows.step[windows.mask]]
        ),
        config.comparison,
        linear=[linear_mlp(subject.model, fitted, subject.items, n) for n in range(subject.model.cfg.n_layers)],
        asked=_asked(subject, config.steps) if config.steps else None,
    )
    parents = (*subject.artefacts, *(each.source for each in dissections))
    beside = Beside({"config": asdict(config.comparison)})
    return save(out, found, parents=parents, seed=config.comparison.seed, replace=replace, beside=beside)


def _dissected(subject: Subject, path: Path, config: CompareConfig) -> Dissection:
    """Read a dictionary; of an untrained subject, fit and name one of the same make."""
    found = dissection_of(subject, path)
    if not subject.is_untrained:
        return found
    twin = found.untrained_twin(n_windows=config.n_dictionary_windows, seed=config.comparison.seed)
    named = dataclasses.replace(twin.dictionary, name=f"untrained {twin.dictionary.name}")
    return dataclasses.replace(twin, dictionary=named)


def _asked(subject: Subject, steps: tuple[int, ...]) -> Windows:
    """Return the windows that end at these steps."""
    most = subject.trajectories.n_steps - 1
    wrong = [step for step in steps if not 0 <= step <= most]
    if wrong:
        raise UserError(f"step {wrong[0]} is none of the demonstrations, which have 0 to {most}: give another one.")
    return window(subject.trajectories, torch.tensor(steps), subject.model.cfg.n_slots)
