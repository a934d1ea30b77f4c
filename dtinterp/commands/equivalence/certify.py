"""The command that certifies which observations a model treats alike."""

from pathlib import Path

from dtinterp.agents.storage import load_agent
from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.run_options import ALONE, CertifyOptions
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.observations import certify as certify_observations
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.tables import classes_table, frames_table, pairs_table
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import read, save
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def certify(
    config: EquivalenceConfig,
    out: Path = Path("results/equivalence"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    run: CertifyOptions = ALONE,
    replace: bool = False,
) -> Artefact:
    """Swap observations in real contexts and certify which of them the model treats alike.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: which observations, contexts and controls.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        run: who does the work, who else plays, and tables for notebooks.
        replace: write it anew where it exists.
    """
    if run.agent is not None and not config.n_episodes:
        raise UserError(f"{run.agent} is to play, and n_episodes is 0: give --n-episodes, or no --agent.")
    subject = open_subject(model, demonstrations)
    agent = None if run.agent is None else load_agent(run.agent)
    coarser = None if run.finer_than is None else read(run.finer_than, EQUIVALENCE, parent=subject.trained.artefact)
    cache = run.cache(out, subject, config)
    with cache.joined():
        report = certify_observations(
            subject, config, cache=cache, agent=agent and agent.network, finer_than=coarser and coarser[0]
        )
    run.write({"pairs": pairs_table(report), "classes": classes_table(report), "frames": frames_table(report)})
    others = [each for each in (agent and agent.artefact, coarser and coarser[1]) if each]
    written = save(out, report, parents=(*subject.artefacts, *others), seed=report.config.seed, replace=replace)
    cache.close()
    return written
