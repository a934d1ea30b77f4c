"""A dictionary on disk becomes how much of the world's truth its features tell, on disk."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.dictionaries.dissection import Dissection, dissection_of
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.labels.table import LabelConfig
from dtinterp.features.truth.assessment import TruthReport, TruthStudy, summary_of, truth_report
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class TruthConfig:
    """On which rows features are held against the truth."""

    division: LabelConfig = field(default_factory=LabelConfig)
    """how rows are divided; what is said of labels has no effect here"""
    n_windows: int = 4096
    """held-out windows"""
    n_fit_windows: int = 4096
    """training windows that the untrained model's dictionary is fitted to"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows")
        require_sensible(self)


@claims_out
def truth(
    config: TruthConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/truth"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Hold a dictionary's features against the items in view and the facts of the world.

    For each item and each fact the feature that tells it best, judged on frames that the choice never saw, beside the
    same with shuffled truths; how truths and features hang together in the data; effective dimensions; and at the
    observation embedding the subspace in which items can be told apart at all. The same numbers are given of a
    dictionary of the same make that is fitted to an untrained model of the same shape: the control.

    Args:
        config: on which rows.
        dictionary: folder of the dictionary.
        out: folder to write.
        model: folder of the model that the dictionary was fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    dissection = dissection_of(open_subject(model, demonstrations), dictionary)
    twin = dissection.untrained_twin(n_windows=config.n_fit_windows, seed=config.division.seed)
    study = TruthStudy(_held_against(dissection, config), summary_of(_held_against(twin, config)))
    beside = Beside({"config": asdict(config.division)}, gate_record(dictionary))
    return save(out, study, parents=dissection.artefacts, seed=config.division.seed, replace=replace, beside=beside)


def _held_against(dissection: Dissection, config: TruthConfig) -> TruthReport:
    subject, division = dissection.subject, config.division
    rows = dissection.rows(subject.held_out_windows(config.n_windows, seed=division.seed))
    return truth_report(dissection.dictionary, rows, subject.trajectories, division, W_obs=dissection.W_obs)
