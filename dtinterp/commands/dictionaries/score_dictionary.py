"""The command that scores a dictionary anew."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.replacements.scoring import HeldOutRows, Judging, score_on_held_out
from dtinterp.subject.fitting import TrainingRows
from dtinterp.subject.subject import open_subject


@dataclass(frozen=True)
class ScoreConfig:
    """On which rows a dictionary is judged, and how."""

    split: Literal["held-out", "train"] = "held-out"
    """windows of episodes that the model never saw, or of those that it was trained on"""
    n_windows: int = 1024
    """windows on which it is judged"""
    n_fit_windows: int | None = None
    """training windows whose rows count as seen by the fit: as many as it was fitted to, with the same seed; none: what
    fit-dictionary takes by default"""
    judging: Judging = field(default_factory=Judging)
    """how the model is made to act on reconstructions, and pass marks"""
    untrained: bool = False
    """judge it in a model of the same shape that never saw a window: the control"""
    seed: int = 0
    """seed of windows, intervals and episodes"""
    rows: Path | None = None
    """folder of the harvest that it was fitted to, in place of training windows"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows")
        require_at_least(self, 0, "n_fit_windows")
        require_sensible(self)


@claims_out
def score_dictionary(
    config: ScoreConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/dictionary-score"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Judge a dictionary anew, as fit-dictionary does: on other windows, by other marks, or one that was imported.

    Args:
        config: on which rows, and how.
        dictionary: folder of the dictionary.
        out: folder to write.
        model: folder of the model that the dictionary was fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations, untrained=config.untrained)
    judged, source = read_dictionary(subject, dictionary)
    rows = (
        HeldOutRows.of(subject, judged.site, n_windows=config.n_windows, seed=config.seed)
        if config.split == "held-out"
        else HeldOutRows.at(subject, judged.site, subject.train_windows(config.n_windows, seed=config.seed))
    )
    fitted = (
        TrainingRows.of(subject, judged.site, n_windows=config.n_fit_windows, seed=config.seed)
        if config.rows is None
        else TrainingRows.read(subject, judged.site, config.rows)
    )
    score = score_on_held_out(rows, judged, config.judging, fitted=fitted, seed=config.seed)
    read = None if config.rows is None else str(config.rows)
    settings = {"name": judged.name, "site": judged.site, **asdict(config), "rows": read}
    settings["n_fitted_windows"] = settings.pop("n_fit_windows")
    parents = (*subject.artefacts, source, *fitted.source)
    return save(out, score, parents=parents, seed=config.seed, replace=replace, beside=Beside(settings))
