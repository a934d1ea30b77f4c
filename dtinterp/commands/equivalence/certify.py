"""A model on disk becomes its certified classes of observations on disk."""

from dataclasses import dataclass
from dataclasses import replace as replace_in
from pathlib import Path

from dtinterp.agents.storage import TrainedAgent, load_agent
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.bench import bench_for
from dtinterp.commands.equivalence.handling import Handling
from dtinterp.equivalence.certify import certify as certify_classes
from dtinterp.equivalence.report import EquivalenceConfig, EquivalenceReport
from dtinterp.equivalence.tables import classes_table, frames_table, pairs_table
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import Subject, open_subject


@dataclass(frozen=True)
class Company(Handling):
    """Who takes part beside the model, and what is written beside the artefact."""

    agent: Path | None = None
    """folder of an agent that plays on the model's classes as the model does, in --n-episodes episodes; none without"""


ALONE = Company()
"""No agent, no machines but this one, and no tables."""


@claims_out
def certify(
    config: EquivalenceConfig,
    out: Path = Path("results/equivalence"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    handling: Company = ALONE,
    replace: bool = False,
) -> Artefact:
    """Swap observations in real contexts and certify which of them the model treats alike.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: which observations, contexts and controls.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        handling: who does the work, who else plays, and tables for notebooks.
        replace: write it anew where it exists.
    """
    if handling.agent is not None and not config.n_episodes:
        raise UserError(f"{handling.agent} is to play, and n_episodes is 0: give --n-episodes, or no --agent.")
    refuse_existing(out, replace=replace)
    subject = open_subject(model, demonstrations)
    agent = None if handling.agent is None else load_agent(handling.agent)
    cache = handling.cache(out, subject, config)
    with cache.joined():
        report = certify_in(subject, config, cache, agent)
    handling.write({"pairs": pairs_table(report), "classes": classes_table(report), "frames": frames_table(report)})
    parents = (*subject.artefacts, *([] if agent is None else [agent.artefact]))
    written = save(out, report, parents=parents, seed=report.config.seed, replace=replace)
    cache.close()
    return written


def certify_in(
    subject: Subject, config: EquivalenceConfig, cache: JobCache = NO_CACHE, agent: TrainedAgent | None = None
) -> EquivalenceReport:
    """Certify a subject's classes, an untrained model beside it as control; an agent may play on them, too."""
    bench = bench_for(subject, config, cache)
    return certify_classes(bench if agent is None else replace_in(bench, agent=agent.network), config)
