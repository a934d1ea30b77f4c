"""The command that tries certified classes in all plays of a world, all observations replaced at once."""

from pathlib import Path

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.run_options import NO_RIVALS, PlaysOptions
from dtinterp.equivalence.observations import check_plays as check_all_plays
from dtinterp.equivalence.plays.joint import CheckPlaysConfig
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.equivalence.tables import joint_table
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import read, save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def check_plays(  # noqa: PLR0913 -- the folders that it reads, each an option of its own
    config: CheckPlaysConfig,
    out: Path = Path("results/plays"),
    *,
    equivalence: Path = Path("results/equivalence"),
    model: Path = MODEL,
    demonstrations: Path | None = None,
    run: PlaysOptions = NO_RIVALS,
    replace: bool = False,
) -> Artefact:
    """Show every observation as a class-mate, all of a window at once, in all plays of the world up to a horizon.

    The classes stand beside trivial rivals, what greedy play never meets merged, and random merges of the same sizes;
    and beside classes of other histories or returns where they are given.
    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: which plays, and how often observations are replaced in them.
        out: folder to write; unfinished work stands beside it.
        equivalence: certified classes, as certify wrote them.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        run: who does the work, other classes that are tried, and tables for notebooks.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    trained = subject.trained.artefact
    (report, classes), *others = (read(each, EQUIVALENCE, parent=trained) for each in (equivalence, *run.rivals))
    parents = (classes, *(artefact for _, artefact in others))
    cache = run.cache(out, subject, config, *parents)
    with cache.joined():
        found = check_all_plays(subject, report, config, rivals=[rival for rival, _ in others], cache=cache)
    run.write({"plays": joint_table(found)})
    written = save(out, found, parents=(*subject.artefacts, *parents), seed=config.seed, replace=replace)
    cache.close()
    return written
