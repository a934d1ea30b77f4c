"""A dictionary on disk becomes a label for each feature, or the finding that it has none, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.dictionaries.dissection import Dissection, dissection_of
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.labels.labelling import label as label_features
from dtinterp.features.labels.table import LabelConfig as SearchConfig
from dtinterp.features.labels.table import Labels, LabelStudy, summary_of
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class LabelConfig:
    """On which rows labels are searched and judged, and how."""

    search: SearchConfig = field(default_factory=SearchConfig)
    """the language, the split and what counts as good"""
    n_windows: int = 4096
    """held-out windows, whose distinct rows are divided by frame"""
    n_fit_windows: int = 4096
    """training windows that the untrained model's dictionary is fitted to"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_fit_windows")
        require_sensible(self)


@claims_out
def label(
    config: LabelConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/labels"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Search, for each feature of a dictionary, the statement about frames that tells when it fires.

    Beside it stand two controls: the same search where firings are shuffled, and on a dictionary of the same make that
    is fitted to an untrained model of the same shape.

    Args:
        config: on which rows, and how.
        dictionary: folder of the dictionary.
        out: folder to write.
        model: folder of the model that the dictionary was fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    dissection = dissection_of(open_subject(model, demonstrations), dictionary)
    twin = dissection.untrained_twin(n_windows=config.n_fit_windows, seed=config.search.seed)
    study = LabelStudy(_labelled(dissection, config), summary_of(_labelled(twin, config)))
    beside = Beside(metrics=gate_record(dictionary))
    return save(out, study, parents=dissection.artefacts, seed=config.search.seed, replace=replace, beside=beside)


def _labelled(dissection: Dissection, config: LabelConfig) -> Labels:
    subject, search = dissection.subject, config.search
    rows = dissection.rows(subject.held_out_windows(config.n_windows, seed=search.seed))
    return label_features(dissection.dictionary, rows, subject.trajectories, search)
