"""The command that measures how well held-out actions are predicted."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.shipped import MODEL
from dtinterp.model.breakdown import BreakdownStudy, break_down
from dtinterp.model.validation import validation_windows
from dtinterp.subject.subject import open_subject

ITS_OWN = "episodes that its training held out"
A_NEW_SPLIT = "episodes of a split made here: it was trained elsewhere, perhaps on others like them"


@claims_out
def validate(
    out: Path = Path("results/validation"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Measure a model's loss and accuracy on held-out windows: overall, by slot, by return-to-go and by sampler.

    They are those that train-model measures at its end. A model that was trained elsewhere held out nothing here: it is
    measured on a split of these demonstrations, and the artefact says so.

    Args:
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    training, is_ours = subject.training, subject.trained.training is not None
    windows = validation_windows(subject.trajectories, subject.split, training)
    found = break_down(subject.model, windows, subject.items, subject.trajectories, seed=training.seed)
    held_out = ITS_OWN if is_ours else A_NEW_SPLIT
    value = BreakdownStudy(len(windows), held_out, subject.split.counts, found)
    return save(out, value, parents=subject.artefacts, seed=training.seed, replace=replace)
