"""The command that describes the features of a dictionary."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.reading import read_dictionary
from dtinterp.dictionary.storage import gate_record
from dtinterp.features.describe import DescribeConfig, recovered_items
from dtinterp.features.describe import describe as describe_features
from dtinterp.foundation.artefacts.artefact import JSON, Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


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
    subject = open_subject(model, demonstrations)
    features, source = read_dictionary(subject, dictionary)
    table, items = describe_features(subject, features, config), recovered_items(subject, features, config)
    known: dict[str, JSON] = {**gate_record(dictionary), **({} if items is None else {"items": asdict(items)})}
    parents = (*subject.artefacts, source)
    return save(out, table, parents=parents, seed=config.seed, replace=replace, beside=Beside(metrics=known))
