"""The command that finds the features that keep two observations apart."""

from pathlib import Path

import torch

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.equivalence.observations import ExplainPairConfig
from dtinterp.equivalence.observations import explain_pair as explain
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL, SHIPPED_DICTIONARY
from dtinterp.subject.subject import open_subject


@claims_out
def explain_pair(
    config: ExplainPairConfig,
    out: Path = Path("results/pair"),
    *,
    dictionary: Path = SHIPPED_DICTIONARY,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Find the fewest features of a dictionary whose exchange makes two observations interchangeable.

    Args:
        config: which two, in how many contexts, and how far to search.
        out: folder to write.
        dictionary: folder of a dictionary of the model's observation embedding.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    features, parent = read_dictionary(subject, dictionary)
    found, seed = explain(subject, features, config), config.search.seed
    beside = Beside(metrics=gate_record(dictionary), tensors={"pair": torch.tensor(config.pair)})
    return save(out, found, parents=(*subject.artefacts, parent), seed=seed, replace=replace, beside=beside)
