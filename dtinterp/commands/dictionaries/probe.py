"""The command that reads facts off a model's rows."""

from dataclasses import asdict
from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.dictionary.evaluation.probes import Probe
from dtinterp.features.probing import ProbeConfig
from dtinterp.features.probing import probe as probe_facts
from dtinterp.foundation.artefacts.artefact import Artefact, Content, write_artefact
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
    found = {site: _told(probes) for site, probes in probe_facts(subject, config).items()}
    content = Content("probes", asdict(config), {}, found)
    return write_artefact(out, content, parents=subject.artefacts, seed=config.seed, replace=replace)


def _told(probes: tuple[Probe, ...]) -> dict[str, object]:
    return {each.fact: {name: value for name, value in asdict(each).items() if name != "fact"} for each in probes}
