"""A dictionary on disk becomes how much of the world's truth its features tell, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

from dtinterp.activations.harvest import harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, load_subject
from dtinterp.dictionary.storage import ARTEFACT_KIND, load_dictionary
from dtinterp.features.label_table import LabelConfig
from dtinterp.features.truth import truth_report
from dtinterp.features.truth_storage import save_truth
from dtinterp.foundation.artefact import Artefact, read_artefact, refuse_existing


@dataclass(frozen=True)
class TruthConfig:
    """On which rows features are held against the truth."""

    division: LabelConfig = field(default_factory=LabelConfig)
    """how rows are divided; what is said of labels has no effect here"""
    n_windows: int = 4096
    """held-out windows"""


def truth(
    config: TruthConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/truth"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> Artefact:
    """Hold a dictionary's features against the items in view and the facts of the world.

    For each item and each fact the feature that tells it best, judged on frames that the choice never saw, beside the
    same with shuffled truths; how truths and features hang together in the data; effective dimensions; and at the
    observation embedding the subspace in which items can be told apart at all.

    Args:
        config: on which rows.
        dictionary: folder of the dictionary.
        out: folder to write.
        model: folder of the model that the dictionary was fitted to.
        demonstrations: folder of the demonstrations that the model was trained on.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    parent = read_artefact(dictionary, kind=ARTEFACT_KIND, parent=subject.trained.artefact)
    loaded = load_dictionary(dictionary)
    windows = subject.held_out_windows(config.n_windows, seed=config.division.seed)
    report = truth_report(
        loaded,
        harvest(subject.model, windows, subject.items, loaded.site),
        subject.trajectories,
        config.division,
        W_obs=subject.model.W_obs.detach() if loaded.site == OBSERVATION_EMBEDDING else None,
    )
    return save_truth(out, report, config.division, parents=(*subject.artefacts, parent), replace=replace)
