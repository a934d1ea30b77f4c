"""The command that fits transcoders and linear maps in place of a model's MLPs, and judges them."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.foundation.artefacts.artefact import refuse_existing
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.jobs.unfinished import unfinished_beside
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.replacements.transcoding import TranscoderConfig, fit_transcoders, names_of
from dtinterp.subject.subject import open_subject


@claims_out
def fit_transcoder(
    config: TranscoderConfig,
    out: Path = Path("results/transcoders"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> dict[str, str]:
    """Fit transcoders, skip-transcoders and a linear map to a model's MLPs, and let it act with each in their place.

    All maps of all MLPs are fitted as one computation. An interrupted fit goes on where it stopped when the same
    command is given again; maps are written once all of them are judged.

    Args:
        config: which MLPs, and by what.
        out: folder to write into, one artefact for each MLP and map.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write them anew where they exist.
    """
    subject = open_subject(model, demonstrations, untrained=config.untrained)
    folders, unfinished = [out / name for name in names_of(subject, config)], unfinished_beside(out)
    for folder in folders:
        refuse_existing(folder, replace=replace)
    judged = fit_transcoders(subject, config, unfinished=unfinished)
    for folder, each in zip(folders, judged, strict=True):
        beside = Beside(metrics=asdict(each.card))
        save(folder, each.row_map, parents=subject.artefacts, seed=config.seed, replace=replace, beside=beside)
    unfinished.unlink(missing_ok=True)
    return {str(folder): str(each) for folder, each in zip(folders, judged, strict=True)}
