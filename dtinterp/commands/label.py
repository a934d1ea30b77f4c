"""A dictionary on disk becomes a label for each feature, or the finding that it has none, on disk."""

from dataclasses import dataclass, field
from pathlib import Path

from dtinterp.activations.harvest import harvest
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.distinct import distinct_rows
from dtinterp.dictionary.fit import fit, of_directions
from dtinterp.dictionary.kinds import Items
from dtinterp.dictionary.storage import ARTEFACT_KIND, load_dictionary
from dtinterp.features.label_storage import save_labels
from dtinterp.features.label_table import LabelConfig as SearchConfig
from dtinterp.features.label_table import LabelStudy, LabelSummary, summary_of
from dtinterp.features.labels import label as label_features
from dtinterp.features.recovery import item_directions, item_rate
from dtinterp.foundation.artefact import Artefact, read_artefact, refuse_existing
from dtinterp.foundation.seeding import generator
from dtinterp.model.transformer import DecisionTransformer


@dataclass(frozen=True)
class LabelConfig:
    """On which rows labels are searched and judged, and how."""

    search: SearchConfig = field(default_factory=SearchConfig)
    """the language, the split and what counts as good"""
    n_windows: int = 4096
    """held-out windows, whose distinct rows are divided by frame"""
    n_fit_windows: int = 4096
    """training windows that the untrained model's dictionary is fitted to"""


def label(
    config: LabelConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/labels"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
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
        demonstrations: folder of the demonstrations that the model was trained on.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    parent = read_artefact(dictionary, kind=ARTEFACT_KIND, parent=subject.trained.artefact)
    loaded = load_dictionary(dictionary)
    windows = subject.held_out_windows(config.n_windows, seed=config.search.seed)
    rows = harvest(subject.model, windows, subject.items, loaded.site)
    found = label_features(loaded, rows, subject.trajectories, config.search)
    study = LabelStudy(found, _untrained(subject, loaded, config))
    return save_labels(out, study, parents=(*subject.artefacts, parent), replace=replace)


def _untrained(subject: Subject, like: Dictionary, config: LabelConfig) -> LabelSummary:
    """Fit a dictionary of the same kind and width to the untrained twin, and label it on the same windows."""
    twin, seed = subject.untrained, config.search.seed
    fitted = _fitted_to(twin, subject, like, config)
    windows = subject.held_out_windows(config.n_windows, seed=seed)
    rows = harvest(twin, windows, subject.items, like.site)
    return summary_of(label_features(fitted, rows, subject.trajectories, config.search))


def _fitted_to(model: DecisionTransformer, subject: Subject, like: Dictionary, config: LabelConfig) -> Dictionary:
    seed = config.search.seed
    windows = subject.train_windows(config.n_fit_windows, seed=seed)
    rows = distinct_rows(harvest(model, windows, subject.items, like.site).value)
    settings = FitConfig(like.kind, width=like.width, name=like.name)
    if isinstance(like.kind, Items):
        rate = item_rate(subject.items, windows.frame_id[windows.mask])
        directions = item_directions(model.W_obs.detach(), rate)
        return of_directions(directions, rows.value, settings, site=like.site, weights=rows.count)
    rng = generator(seed, f"dictionary/{like.site}")
    return fit(rows.value, settings, generator=rng, site=like.site, weights=rows.count)
