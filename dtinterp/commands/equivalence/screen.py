"""A model on disk becomes classes of very many observations on disk."""

from pathlib import Path

import pandas as pd

from dtinterp.commands.claiming import claims_out
from dtinterp.commands.equivalence.bench import bench_of, graph_for, moved_to
from dtinterp.commands.equivalence.handling import HERE_ALONE, Handling
from dtinterp.demonstrations.goal_directed import tours
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.screen import ScreenConfig
from dtinterp.equivalence.screen import screen as screen_observations
from dtinterp.foundation.artefacts.artefact import Artefact, refuse_existing
from dtinterp.foundation.artefacts.codec import save
from dtinterp.foundation.jobs.job_cache import JobCache
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.foundation.shipped import MODEL
from dtinterp.subject.subject import Subject, open_subject


@claims_out
def screen(
    config: ScreenConfig,
    out: Path = Path("results/screening"),
    *,
    model: Path = MODEL,
    demonstrations: Path | None = None,
    handling: Handling = HERE_ALONE,
    replace: bool = False,
) -> Artefact:
    """Sort up to ten thousand observations into classes that the model treats alike, by probes and counterexamples.

    An interrupted call goes on where it stopped when it is called again.

    Args:
        config: how many observations, and how hard they are tried.
        out: folder to write; unfinished work stands beside it.
        model: folder of the model.
        demonstrations: folder of the demonstrations that it was trained on; none: those that it records.
        handling: who does the work, and tables for notebooks.
        replace: write it anew where it exists.
    """
    refuse_existing(out, replace=replace)
    subject = open_subject(model, demonstrations)
    cache = handling.cache(out, subject, config)
    with cache.joined():
        found = screen_observations(_bench(subject, config, cache), config)
    columns = {"frame": found.chosen.frame_id, "n_visits": found.chosen.n_visits, "class": found.partition.label}
    handling.write({"screening": pd.DataFrame({name: each.numpy() for name, each in columns.items()})})
    written = save(out, found, parents=subject.artefacts, seed=found.config.seed, replace=replace)
    cache.close()
    return written


def _bench(subject: Subject, config: ScreenConfig, cache: JobCache) -> CertifyInputs:
    """Return the subject's models on its held-out steps, or on tours of its world."""
    bench = bench_of(subject, cache)
    if config.contexts == "held-out":
        return bench
    graph, rng = graph_for(bench, config.contexts), numpy_generator(config.seed, "screen/tours")
    return moved_to(bench, tours(graph, n_tours=config.n_tours, generator=rng))
