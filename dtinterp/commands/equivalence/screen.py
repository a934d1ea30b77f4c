"""The command that sorts very many observations into classes."""

from pathlib import Path

import pandas as pd

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.run_options import HERE, RunOptions
from dtinterp.equivalence.observations import screen as screen_observations
from dtinterp.equivalence.screen import ScreenConfig
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import open_subject


@claims_out
def screen(
    config: ScreenConfig,
    out: Path = Path("results/screening"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    run: RunOptions = HERE,
    replace: bool = False,
) -> Artefact:
    """Sort up to ten thousand observations into classes that the model treats alike, by probes and counterexamples.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: how many observations, and how hard they are tried.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        run: who does the work, and tables for notebooks.
        replace: write it anew where it exists.
    """
    subject = open_subject(model, demonstrations)
    cache = run.cache(out, subject, config)
    with cache.joined():
        found = screen_observations(subject, config, cache=cache)
    columns = {"frame": found.chosen.frame_id, "n_visits": found.chosen.n_visits, "class": found.partition.label}
    run.write({"screening": pd.DataFrame({name: each.numpy() for name, each in columns.items()})})
    written = save(out, found, parents=subject.artefacts, seed=config.seed, replace=replace)
    cache.close()
    return written
