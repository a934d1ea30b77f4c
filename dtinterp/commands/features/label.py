"""The command that labels the features of a dictionary."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.labels.labelling import LabellingConfig
from dtinterp.features.labels.labelling import label as label_features
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def label(
    config: LabellingConfig,
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
    subject = open_subject(model, demonstrations)
    features, source = read_dictionary(subject, dictionary)
    study, parents = label_features(subject, features, config), (*subject.artefacts, source)
    beside = Beside(metrics=gate_record(dictionary))
    return save(out, study, parents=parents, seed=config.search.seed, replace=replace, beside=beside)
