"""A dictionary on disk becomes a table of what its features mean, on disk."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.dictionaries.dissection import Dissection, dissection_of
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.describe import DescribeConfig as FeatureConfig
from dtinterp.features.describe import describe as describe_features
from dtinterp.features.table import FeatureTable
from dtinterp.features.truth.recovery import ItemRecovery, item_rate, item_recovery
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class DescribeConfig:
    """On which rows features are described."""

    features: FeatureConfig = field(default_factory=FeatureConfig)
    """what is kept of each feature"""
    n_windows: int = 1024
    """held-out windows"""
    seed: int = 0
    """seed of the windows"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows")
        require_sensible(self)


@claims_out
def describe(
    config: DescribeConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/features"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Describe each feature of a dictionary: density, top frames, map over the view, alignment with the facts.

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
    return save(
        out,
        described(dissection, config),
        parents=dissection.artefacts,
        seed=config.seed,
        replace=replace,
        beside=Beside(metrics=_known(dictionary, recovered(dissection, config))),
    )


def _known(dictionary: Path, recovered: ItemRecovery | None) -> dict[str, JSON]:
    """Return whether the dictionary passes the gate, and what it recovered of the items, where these are known."""
    known: dict[str, JSON] = {**gate_record(dictionary)}
    return known if recovered is None else {**known, "items": asdict(recovered)}


def recovered(dissection: Dissection, config: DescribeConfig) -> ItemRecovery | None:
    """Return how well features agree with the items; None at sites where rows are no sums of items."""
    if dissection.W_obs is None:
        return None
    windows = dissection.subject.held_out_windows(config.n_windows, seed=config.seed)
    rate = item_rate(dissection.items, windows.frame_id[windows.mask])
    return item_recovery(dissection.dictionary, dissection.W_obs, rate)


def described(dissection: Dissection, config: DescribeConfig) -> FeatureTable:
    """Describe on held-out windows; what a feature writes is drawn where the site is the embedding itself."""
    subject = dissection.subject
    return describe_features(
        dissection.dictionary,
        dissection.rows(subject.held_out_windows(config.n_windows, seed=config.seed)),
        trajectories=subject.trajectories,
        items=dissection.items,
        W_obs=dissection.W_obs,
        config=config.features,
    )
