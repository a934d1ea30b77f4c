"""Fitting of dictionaries to the rows of a subject's training windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import torch
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
from dtinterp.foundation.jobs.kept import once
from dtinterp.foundation.logbook import progress
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.frames import ONE_HOT
from dtinterp.subject.items import item_directions, item_rate
from dtinterp.subject.subject import Subject

N_WINDOWS = 4096
"""Training windows that a dictionary of a deeper site learns, unless told otherwise."""
Weighting: TypeAlias = Literal["alike", "visits"]
"""Whether distinct rows count alike in a fit, or each as often as the demonstrations come by it."""


@dataclass(frozen=True)
class TrainingRows:
    """Distinct rows of a site, to which dictionaries are fitted.

    By default those of the observation embedding are all frames that training shows, and count alike: of windows drawn
    among the steps most show the same few frames. Those of deeper sites are the contexts of `N_WINDOWS` windows, and
    count as often as they occur.
    """

    subject: Subject
    site: str
    rows: DistinctRows
    """each with the number of its visits"""
    frame_id: Int64[Tensor, " row"]
    """what was shown at each row that was harvested, as the demonstrations number frames"""
    weighting: Weighting
    source: tuple[Artefact, ...] = ()
    """the harvest on disk that the rows come from; empty where they come from the model itself"""

    @property
    def weight(self) -> Int64[Tensor, " distinct"]:
        """How much each distinct row counts."""
        return self.rows.count if self.weighting == "visits" else torch.ones_like(self.rows.count)

    @property
    def shown(self) -> Int64[Tensor, " distinct"]:
        """What the first row of each distinct one shows."""
        place = torch.arange(len(self.frame_id))
        first = place.new_zeros(len(self.rows.value)).scatter_reduce(
            0, self.rows.member.cpu(), place, "amin", include_self=False
        )
        return self.frame_id[first]

    @classmethod
    def of(
        cls,
        subject: Subject,
        site: str,
        *,
        n_windows: int | None = None,
        weighting: Weighting | None = None,
        seed: int,
    ) -> "TrainingRows":
        """Harvest the rows of training windows, or of all that training shows; see `of_sites`."""
        return cls.of_sites(subject, (site,), n_windows=n_windows, weighting=weighting, seed=seed)[0]

    @classmethod
    def of_sites(
        cls,
        subject: Subject,
        sites: Sequence[str],
        *,
        n_windows: int | None = None,
        weighting: Weighting | None = None,
        seed: int,
    ) -> "list[TrainingRows]":
        """Harvest the rows of `n_windows` training windows at several sites at once.

        Where no number is given, those of deeper sites are of `N_WINDOWS` windows, and those of the observation
        embedding of every frame that training shows. Where no weighting is, see `TrainingRows`.
        """
        asked = (n_windows, weighting, seed)
        return once(lambda: cls._harvested(subject, sites, *asked), "training rows", subject, tuple(sites), *asked)

    @classmethod
    def _harvested(
        cls, subject: Subject, sites: Sequence[str], n_windows: int | None, weighting: Weighting | None, seed: int
    ) -> "list[TrainingRows]":
        found: dict[str, TrainingRows] = {}
        harvested = [site for site in sites if n_windows is not None or site != OBSERVATION_EMBEDDING]
        if harvested:
            windows = subject.train_windows(N_WINDOWS if n_windows is None else n_windows, seed=seed)
            for rows in harvest_sites(subject.model, windows, subject.items, harvested):
                found[rows.site] = cls._at(subject, rows, weighting)
        if len(harvested) < len(sites):
            found[OBSERVATION_EMBEDDING] = cls._of_all_frames(subject, weighting)
        return [found[site] for site in sites]

    @classmethod
    def read(cls, subject: Subject, site: str, path: Path, *, weighting: Weighting | None = None) -> "TrainingRows":
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
        return cls._at(subject, rows, weighting, (source,))

    @classmethod
    def _of_all_frames(cls, subject: Subject, weighting: Weighting | None) -> "TrainingRows":
        """Return the embedding of every frame of the training side, with the number of training steps that show it."""
        steps = subject.trajectories.frame_id[subject.split.train].long()
        frame_id, n_visits = steps.unique(return_counts=True)
        distinct = distinct_rows(subject.embedded(subject.items[frame_id]))
        count = torch.zeros_like(distinct.count).index_add(0, distinct.member, n_visits)
        own = _weighting(OBSERVATION_EMBEDDING, weighting)
        return cls(subject, OBSERVATION_EMBEDDING, replace(distinct, count=count), frame_id, own)

    @classmethod
    def _at(
        cls,
        subject: Subject,
        rows: Activations,
        weighting: Weighting | None,
        source: tuple[Artefact, ...] = (),
    ) -> "TrainingRows":
        for part in rows.value.split(PART):  # before they are compared: what is no number equals nothing
            check_rows(part, rows.value.shape[1])
        frame_id = subject.trajectories.frame_id[rows.step].long()
        own = _weighting(rows.site, weighting)
        return cls(subject, rows.site, distinct_rows(rows.value), frame_id, own, source)


def _weighting(site: str, asked: Weighting | None) -> Weighting:
    """Return the weighting that is asked for, or that of the site: a frame of the embedding counts as any other."""
    return asked or ("alike" if site == OBSERVATION_EMBEDDING else "visits")


def fit_dictionary(
    subject: Subject,
    site: str = OBSERVATION_EMBEDDING,
    fit: FitConfig = FitConfig(),
    *,
    n_windows: int | None = None,
    weighting: Weighting | None = None,
    seed: int = 0,
) -> Dictionary:
    """Fit one dictionary to a site's rows in training windows, or at the embedding to all frames of training.

    How many windows, and how much each row counts, `TrainingRows` says where it is not given. Raises `UserError` where
    the model has no such site.
    """
    check_site(subject.model, site)
    rows = TrainingRows.of(subject, site, n_windows=n_windows, weighting=weighting, seed=seed)
    return fit_dictionaries([rows], [fit], seed=seed)[0][0]


def fit_like(dictionary: Dictionary, subject: Subject, *, n_windows: int | None, seed: int) -> Dictionary:
    """Fit a dictionary of the same make to another subject, such as `subject.control`.

    `n_windows` are learnt as `TrainingRows` says, with as many steps as `FitConfig` has by default.
    """
    fit = FitConfig(dictionary.kind, width=dictionary.width, name=dictionary.name)
    return fit_dictionary(subject, dictionary.site, fit, n_windows=n_windows, seed=seed)


def fit_dictionaries(
    fitted: Sequence[TrainingRows], fits: Sequence[FitConfig], *, seed: int, unfinished: Path | None = None
) -> list[list[Dictionary]]:
    """Fit all dictionaries to the distinct rows of each site, weighted as those say, as one computation.

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
            SiteRows(each.rows.value, fits, generator(seed, f"dictionary/{each.site}"), each.site, each.weight)
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
    rows, weight = fitted.rows.value, fitted.weight
    directions = item_directions(model.W_obs.detach(), item_rate(items, fitted.shown, weight))
    return [of_directions(directions, rows, fit, site=fitted.site, weights=weight) for fit in fits]


def note_of(state: FitProgress) -> str:
    """Return what stands behind a bar while something is fitted."""
    dead, rate = f"{state.silent_share:.0%} dead", f"{state.rows_per_second:,.0f} rows/s"
    return f"loss {state.loss:.3f} FVU {state.fvu:.3f} L0 {state.l0:.1f} {dead} {rate}"
