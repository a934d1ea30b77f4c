"""The truth that a dictionary's features tell, beside that of a dictionary of an untrained model: the control."""

from dataclasses import dataclass, field

from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.truth.assessment import TruthReport, TruthStudy, summary_of, truth_report
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.subject.fitting import fit_like
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class TruthConfig:
    """On which rows features are held against the truth."""

    division: LabelConfig = field(default_factory=LabelConfig)
    """how rows are divided; what is said of labels has no effect here"""
    n_windows: int = 4096
    """held-out windows"""
    n_fit_windows: int | None = None
    """training windows that the untrained model's dictionary is fitted to; none: as fit-dictionary has it by default"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows")
        require_sensible(self)


def truth(subject: Subject, dictionary: Dictionary, config: TruthConfig = TruthConfig()) -> TruthStudy:
    """Hold features against the items in view and the facts of the world; see `truth_report`."""
    seed = config.division.seed

    def report(model: Subject, features: Dictionary) -> TruthReport:
        rows = model.rows(features.site, model.held_out_windows(config.n_windows, seed=seed))
        embedding = model.embedding_at(features.site)
        return truth_report(features, rows, model.trajectories, config.division, W_obs=embedding)

    control = fit_like(dictionary, subject.control, n_windows=config.n_fit_windows, seed=seed)
    return TruthStudy(report(subject, dictionary), summary_of(report(subject.control, control)))
