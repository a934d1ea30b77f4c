"""The command that regresses a model's residual stream onto exact beliefs."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.features.belief_geometry import BeliefConfig
from dtinterp.features.belief_geometry import regress_beliefs as regressed
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def regress_beliefs(
    config: BeliefConfig,
    out: Path = Path("results/beliefs"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Regress the residual stream onto the exact belief after windows of random moves, an untrained model beside it.

    Args:
        config: which beliefs, and onto what they are regressed.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    found = regressed(subject, config)
    return save(out, found, parents=subject.artefacts, seed=config.seed, replace=replace)
