"""A dictionary on disk becomes a table of what its features mean, on disk."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from dtinterp.activations.harvest import harvest
from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, Subject, load_subject
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.gate import verdict_of
from dtinterp.dictionary.storage import ARTEFACT_KIND, load_dictionary, load_score
from dtinterp.features.describe import DescribeConfig as FeatureConfig
from dtinterp.features.describe import describe as describe_features
from dtinterp.features.recovery import ItemRecovery, item_rate, item_recovery
from dtinterp.features.storage import save_features
from dtinterp.features.table import FeatureTable
from dtinterp.foundation.artefact import JSON, Artefact, read_artefact, refuse_existing


@dataclass(frozen=True)
class DescribeConfig:
    """On which rows features are described."""

    features: FeatureConfig = field(default_factory=FeatureConfig)
    """what is kept of each feature"""
    n_windows: int = 1024
    """held-out windows"""
    seed: int = 0
    """seed of the windows"""


def describe(
    config: DescribeConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/features"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    replace: bool = False,
) -> Artefact:
    """Describe each feature of a dictionary: density, top frames, map over the view, alignment with the facts.

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
    return save_features(
        out,
        describe_in(subject, loaded, config),
        parents=(*subject.artefacts, parent),
        seed=config.seed,
        replace=replace,
        known=_known(dictionary, recovered_in(subject, loaded, config)),
    )


def _known(dictionary: Path, recovered: ItemRecovery | None) -> dict[str, JSON]:
    """Return whether the dictionary passes the gate, and what it recovered of the items, where these are known."""
    score = load_score(dictionary)
    known: dict[str, JSON] = {} if score is None else {"gate": str(verdict_of(score))}
    return known if recovered is None else {**known, "items": asdict(recovered)}


def recovered_in(subject: Subject, dictionary: Dictionary, config: DescribeConfig) -> ItemRecovery | None:
    """Return how well features agree with the items; None at sites where rows are no sums of items."""
    if dictionary.site != OBSERVATION_EMBEDDING:
        return None
    windows = subject.held_out_windows(config.n_windows, seed=config.seed)
    rate = item_rate(subject.items, windows.frame_id[windows.mask])
    return item_recovery(dictionary, subject.model.W_obs.detach(), rate)


def describe_in(subject: Subject, dictionary: Dictionary, config: DescribeConfig) -> FeatureTable:
    """Describe on held-out windows; what a feature writes is drawn where the site is the embedding itself."""
    windows = subject.held_out_windows(config.n_windows, seed=config.seed)
    rows = harvest(subject.model, windows, subject.items, dictionary.site)
    return describe_features(
        dictionary,
        rows,
        trajectories=subject.trajectories,
        items=subject.items,
        W_obs=subject.model.W_obs.detach() if dictionary.site == OBSERVATION_EMBEDDING else None,
        config=config.features,
    )
