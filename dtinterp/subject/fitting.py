"""Fitting of dictionaries to the rows of a subject's training windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Int64
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvest_sites
from dtinterp.activations.sites import OBSERVATION_EMBEDDING, check_site
from dtinterp.activations.storage import load_harvest
from dtinterp.dictionary.config import FitConfig, FitProgress, Watch
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.fit import SiteRows, fit_sites, of_directions
from dtinterp.dictionary.kinds.baselines.items import Items
from dtinterp.dictionary.rows.distinct import PART, DistinctRows, distinct_rows
from dtinterp.dictionary.rows.table import check_rows
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.subject.items import item_directions, item_rate
from dtinterp.subject.subject import Subject

N_WINDOWS = 4096
"""Training windows that a dictionary learns, unless told otherwise."""


@dataclass(frozen=True)
class TrainingRows:
    """Distinct rows of a site, to which dictionaries are fitted."""

    subject: Subject
    site: str
    rows: DistinctRows
    frame_id: Int64[Tensor, " row"]
    """what was shown at each row that was harvested, as the demonstrations number frames"""
    source: tuple[Artefact, ...] = ()
    """the harvest on disk that the rows come from; empty where they come from the model itself"""

    @classmethod
    def of(cls, subject: Subject, site: str, *, n_windows: int, seed: int) -> "TrainingRows":
        """Harvest the rows of training windows."""
        return cls.of_sites(subject, (site,), n_windows=n_windows, seed=seed)[0]

    @classmethod
    def of_sites(cls, subject: Subject, sites: Sequence[str], *, n_windows: int, seed: int) -> "list[TrainingRows]":
        """Harvest the rows of training windows at several sites at once."""
        windows = subject.train_windows(n_windows, seed=seed)
        return [cls._at(subject, rows) for rows in harvest_sites(subject.model, windows, subject.items, sites)]

    @classmethod
    def read(cls, subject: Subject, site: str, path: Path) -> "TrainingRows":
        """Read the rows that `dtinterp harvest` wrote to `path`; of equal rows no more than one is held in memory.

        Raises `UserError` where they are of another model, other demonstrations, another site or held-out episodes, or
        where the subject is the untrained twin.
        """
        if subject.is_untrained:
            raise UserError(f"{path} holds rows of the trained model: fit the untrained one without a harvest.")
        rows, source = load_harvest(path, parents=subject.artefacts)
        if rows.site != site:
            raise UserError(f"{path} holds rows of {rows.site!r}, and the site is {site!r}: give --site {rows.site}.")
        if source.config.get("side") != "train":
            raise UserError(f"{path} holds rows of episodes that judge dictionaries: harvest with --split train.")
        return cls._at(subject, rows, (source,))

    @classmethod
    def _at(cls, subject: Subject, rows: Activations, source: tuple[Artefact, ...] = ()) -> "TrainingRows":
        for part in rows.value.split(PART):  # before they are compared: what is no number equals nothing
            check_rows(part, rows.value.shape[1])
        frame_id = subject.trajectories.frame_id[rows.step].long()
        return cls(subject, rows.site, distinct_rows(rows.value), frame_id, source)


def fit_dictionary(
    subject: Subject,
    site: str = OBSERVATION_EMBEDDING,
    fit: FitConfig = FitConfig(),
    *,
    n_windows: int = N_WINDOWS,
    seed: int = 0,
) -> Dictionary:
    """Fit one dictionary to the rows of `n_windows` training windows.

    Raises `UserError` where the model has no such site.
    """
    check_site(subject.model, site)
    return fit_dictionaries([TrainingRows.of(subject, site, n_windows=n_windows, seed=seed)], [fit], seed=seed)[0][0]


def fit_like(dictionary: Dictionary, subject: Subject, *, n_windows: int, seed: int) -> Dictionary:
    """Fit a dictionary of the same make to another subject, such as `subject.control`.

    `n_windows` training windows are learnt, with as many steps as `FitConfig` has by default.
    """
    fit = FitConfig(dictionary.kind, width=dictionary.width, name=dictionary.name)
    return fit_dictionary(subject, dictionary.site, fit, n_windows=n_windows, seed=seed)


def fit_dictionaries(
    fitted: Sequence[TrainingRows], fits: Sequence[FitConfig], *, seed: int, unfinished: Path | None = None
) -> list[list[Dictionary]]:
    """Fit all dictionaries to the distinct rows of each site, weighted by their counts, as one computation.

    Items are given as the model embeds them. With `unfinished`, an interrupted fit goes on from that file.
    """
    if isinstance(fits[0].kind, Items):
        return _marked(fitted, [_items(each, fits) for each in fitted])
    n_dictionaries = len(fits) * len(fitted)
    title = fits[0].title if n_dictionaries == 1 else f"{n_dictionaries} dictionaries"
    with progress(f"fitting {title} at {' and '.join(each.site for each in fitted)}", fits[0].n_steps) as bar:

        def show(state: FitProgress) -> None:
            bar.reach(state.step, note_of(state))

        wanted = [
            SiteRows(each.rows.value, fits, generator(seed, f"dictionary/{each.site}"), each.site, each.rows.count)
            for each in fitted
        ]
        return _marked(fitted, fit_sites(wanted, watch=Watch(show, unfinished)))


def _marked(fitted: Sequence[TrainingRows], found: Sequence[Sequence[Dictionary]]) -> list[list[Dictionary]]:
    """Note in each dictionary whether its rows are an untrained model's."""
    return [
        [replace(dictionary, of_untrained=each.subject.is_untrained) for dictionary in dictionaries]
        for each, dictionaries in zip(fitted, found, strict=True)
    ]


def _items(fitted: TrainingRows, fits: Sequence[FitConfig]) -> list[Dictionary]:
    model, items = fitted.subject.model, fitted.subject.items
    if model.cfg.n_items != ONE_HOT:
        raise UserError(
            f"the kind is items, but the model reads frames as {model.cfg.n_items} numbers, not {ONE_HOT} items: "
            "give another --fit.kind."
        )
    directions = item_directions(model.W_obs.detach(), item_rate(items, fitted.frame_id))
    rows = fitted.rows
    return [of_directions(directions, rows.value, fit, site=fitted.site, weights=rows.count) for fit in fits]


def note_of(state: FitProgress) -> str:
    """Return what stands behind a bar while something is fitted."""
    dead, rate = f"{state.silent_share:.0%} dead", f"{state.rows_per_second:,.0f} rows/s"
    return f"loss {state.loss:.3f} FVU {state.fvu:.3f} L0 {state.l0:.1f} {dead} {rate}"
