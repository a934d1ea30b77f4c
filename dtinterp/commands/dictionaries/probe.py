"""The command that reads facts off a model's rows."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.features.probing import ProbeConfig
from dtinterp.features.probing import probe as probe_facts
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import Beside, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def probe(
    config: ProbeConfig,
    out: Path = Path("results/probes"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Read each fact of the world off a model's rows by logistic regression, beside shuffled labels.

    Args:
        config: which rows and facts.
        out: folder to write.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    found, beside = probe_facts(subject, config), Beside(asdict(config))
    return save(out, found, parents=subject.artefacts, seed=config.seed, replace=replace, beside=beside)
