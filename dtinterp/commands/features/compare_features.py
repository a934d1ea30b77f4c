"""The command that compares what dictionaries of a model see in the same windows."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.interventions.replacements.compare_features import CompareConfig
from dtinterp.interventions.replacements.compare_features import compare_features as compare_dictionaries
from dtinterp.subject.subject import open_subject


@claims_out
def compare_features(
    config: CompareConfig,
    dictionary: tuple[Path, ...] = (),
    out: Path = Path("results/feature-comparison"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Compare dictionaries of one model: errors of single tokens, and what each sees in the same windows.

    The windows shown are those where ablating a head, an MLP or a slot makes a right prediction wrong. Beside that,
    what a linear map in place of each MLP costs while each feature is on, and while it is off.

    Args:
        config: on which windows.
        dictionary: folders of dictionaries, of any sites of the model.
        out: folder to write.
        model: folder of the model that the dictionaries were fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations, untrained=config.untrained)
    read = [read_dictionary(subject, path) for path in dictionary]
    found = compare_dictionaries(subject, [features for features, _ in read], config)
    parents = (*subject.artefacts, *(source for _, source in read))
    beside = Beside({"config": asdict(config.comparison)})
    return save(out, found, parents=parents, seed=config.comparison.seed, replace=replace, beside=beside)
