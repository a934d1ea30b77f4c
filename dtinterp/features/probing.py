"""Linear probes: which facts can be read off a model's rows, beside shuffled labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.activations.sites import check_site, stream_sites
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.evaluation.probes import Probe, one_each, probe_facts
from dtinterp.dictionary.evaluation.reconstruction import is_among
from dtinterp.dictionary.rows.distinct import distinct_rows
from dtinterp.foundation.artefacts.codec import ArtefactKind
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_at_least, require_sensible
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.subject.subject import Subject


@dataclass(frozen=True)
class ProbeStudy:
    """The probes of a model."""

    probes: Mapping[str, Mapping[str, Probe]]
    """by site and fact"""


PROBES = ArtefactKind("probes", ProbeStudy, places={"probes": "metrics"})


@dataclass(frozen=True)
class ProbeConfig:
    """Which rows and facts are probed."""

    sites: tuple[str, ...] = ()
    """where in the model; empty: the embedding, and each layer's residual stream at observation tokens"""
    facts: tuple[str, ...] = ()
    """names of facts, as the demonstrations record them; empty: all of them"""
    n_windows: int = 512
    """training windows whose distinct rows are fitted"""
    n_held_out_windows: int = 512
    """held-out windows; of their distinct rows those count that the fit never saw"""
    untrained: bool = False
    """take a model of the same shape that never saw a window: the control"""
    seed: int = 0
    """seed of windows and of shuffled labels"""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        require_at_least(self, 1, "n_windows", "n_held_out_windows")
        require_sensible(self)


def probe(subject: Subject, config: ProbeConfig = ProbeConfig()) -> ProbeStudy:
    """Return the probe of each fact at each site, fitted to training rows and judged on rows that the fit never saw.

    Raises `UserError` for sites or facts that are not there.
    """
    subject = subject.control if config.untrained else subject
    sites = config.sites or stream_sites(subject.model)
    for site in sites:
        check_site(subject.model, site)
    columns = _columns(subject, config.facts)
    return ProbeStudy({site: _probed(subject, site, columns, config) for site in sites})


def _columns(subject: Subject, wanted: tuple[str, ...]) -> list[int]:
    names = subject.trajectories.fact_names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UserError(f"the fact is {unknown[0]!r}, expected one of {', '.join(names)}: give facts of this world.")
    return [names.index(name) for name in wanted or names]


def _probed(subject: Subject, site: str, columns: list[int], config: ProbeConfig) -> Mapping[str, Probe]:
    train = subject.train_windows(config.n_windows, seed=config.seed)
    held_out = subject.held_out_windows(config.n_held_out_windows, seed=config.seed)
    fitted, facts = _distinct(subject, site, train, columns)
    new, new_facts = _distinct(subject, site, held_out, columns)
    is_new = ~is_among(new, fitted)
    if not is_new.any():
        raise UserError(f"no held-out row at {site} is new to the fit: give more held-out windows, or a deeper site.")
    return probe_facts(
        fitted,
        facts,
        new[is_new],
        new_facts[is_new],
        names=tuple(subject.trajectories.fact_names[column] for column in columns),
        generator=numpy_generator(config.seed, f"probes/{site}"),
    )


def _distinct(
    subject: Subject, site: str, windows: Windows, columns: list[int]
) -> tuple[Float32[Tensor, "row d_model"], Int64[Tensor, "row fact"]]:
    """Return each row once for each truth that goes with it."""
    rows = subject.rows(site, windows)
    facts = subject.trajectories.facts[rows.step][:, torch.tensor(columns)].long()
    is_first = one_each(rows.value, distinct_rows(rows.value).member, facts)
    return rows.value[is_first], facts[is_first]
