"""What dictionaries of one model see in the same windows, and what their errors cost."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from dtinterp.dataset.windows import Windows, window
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_each_at_least, require_sensible
from dtinterp.interventions.replacements.dictionary_comparison import (
    ComparedWindows,
    DictionaryComparison,
    DictionaryComparisonConfig,
    compare,
)
from dtinterp.interventions.replacements.linear_mlp import linear_mlp
from dtinterp.subject.fitting import fit_like
from dtinterp.subject.subject import Subject


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
    n_dictionary_windows: int | None = None
    """training windows that dictionaries of the untrained model are fitted to; none: as fit-dictionary has it"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows", "n_dictionary_windows")
        require_each_at_least(self, 0, "steps")
        require_sensible(self)


def compare_features(
    subject: Subject, dictionaries: Sequence[Dictionary], config: CompareConfig = CompareConfig()
) -> DictionaryComparison:
    """Compare dictionaries on held-out windows; see `compare`. An untrained subject gets some of the same make."""
    subject = subject.control if config.untrained else subject
    seed = config.comparison.seed
    windows = subject.held_out_windows(config.n_windows, seed=seed)
    fitted = subject.train_windows(config.n_fit_windows, seed=seed)
    return compare(
        [_own(subject, each, config) for each in dictionaries],
        ComparedWindows(
            subject.model, windows, subject.items, subject.trajectories.episode[windows.step[windows.mask]]
        ),
        config.comparison,
        linear=[linear_mlp(subject.model, fitted, subject.items, n) for n in range(subject.model.cfg.n_layers)],
        asked=_asked(subject, config.steps) if config.steps else None,
    )


def _own(subject: Subject, dictionary: Dictionary, config: CompareConfig) -> Dictionary:
    """Return the dictionary; for an untrained subject, fit and name one of the same make."""
    if not subject.is_untrained:
        return dictionary
    found = fit_like(dictionary, subject, n_windows=config.n_dictionary_windows, seed=config.comparison.seed)
    return dataclasses.replace(found, name=f"untrained {found.name}")


def _asked(subject: Subject, steps: tuple[int, ...]) -> Windows:
    """Return the windows that end at these steps."""
    most = subject.trajectories.n_steps - 1
    wrong = [step for step in steps if not 0 <= step <= most]
    if wrong:
        raise UserError(f"step {wrong[0]} is none of the demonstrations, which have 0 to {most}: give another one.")
    return window(subject.trajectories, torch.tensor(steps), subject.model.cfg.n_slots)
