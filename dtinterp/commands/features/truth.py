"""The command that holds the features of a dictionary against the world's truth."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.truth.controlled import TruthConfig
from dtinterp.features.truth.controlled import truth as truth_told
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def truth(
    config: TruthConfig,
    dictionary: Path = Path("results/dictionary"),
    out: Path = Path("results/truth"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Hold a dictionary's features against the items in view and the facts of the world.

    For each item and each fact the feature that tells it best, judged on frames that the choice never saw, beside the
    same with shuffled truths; how truths and features hang together in the data; effective dimensions; and at the
    observation embedding the subspace in which items can be told apart at all. The same numbers are given of a
    dictionary of the same make that is fitted to an untrained model of the same shape: the control.

    Args:
        config: on which rows.
        dictionary: folder of the dictionary.
        out: folder to write.
        model: folder of the model that the dictionary was fitted to.
        demonstrations: folder of the demonstrations that the model was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    features, source = read_dictionary(subject, dictionary)
    study, parents = truth_told(subject, features, config), (*subject.artefacts, source)
    beside = Beside({"config": asdict(config.division)}, gate_record(dictionary))
    return save(out, study, parents=parents, seed=config.division.seed, replace=replace, beside=beside)
