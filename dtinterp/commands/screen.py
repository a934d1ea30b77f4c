"""A model on disk becomes classes of very many observations on disk."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from dtinterp.commands.subject import DEMONSTRATIONS, MODEL, load_subject
from dtinterp.equivalence.ledger import open_ledger
from dtinterp.equivalence.screen import ScreenConfig
from dtinterp.equivalence.screen import screen as screen_observations
from dtinterp.equivalence.screen_storage import save_screening
from dtinterp.equivalence.tables import write_tables
from dtinterp.foundation.artefact import Artefact, refuse_existing


def screen(
    config: ScreenConfig,
    out: Path = Path("results/screening"),
    *,
    model: Path = MODEL,
    demonstrations: Path = DEMONSTRATIONS,
    tables: Path | None = None,
    replace: bool = False,
) -> Artefact:
    """Sort up to ten thousand observations into classes that the model treats alike, by probes and counterexamples.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: how many observations, and how hard they are tried.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on.
        tables: folder for the observations with their classes as Parquet; none without.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = load_subject(model, demonstrations)
    identity = {**asdict(config), **{each.name: each.manifest.digest for each in subject.artefacts}}
    ledger = open_ledger(out.with_name(f"{out.name}.unfinished"), identity)
    found = screen_observations(
        subject.model,
        subject.trajectories,
        split=subject.split,
        items=subject.items,
        config=config,
        ledger=ledger,
    )
    if tables is not None:
        columns = {"frame": found.chosen.frame_id, "n_visits": found.chosen.n_visits, "class": found.partition.label}
        write_tables(tables, {"screening": pd.DataFrame({name: each.numpy() for name, each in columns.items()})})
    written = save_screening(out, found, parents=subject.artefacts, replace=replace)
    ledger.close()
    return written
