"""Options of long work on observations: who takes part, and which tables are written beside the artefact."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.machines.report import MachineConfig
from dtinterp.equivalence.over_training import HistoryConfig
from dtinterp.equivalence.plays.joint import CheckPlaysConfig
from dtinterp.equivalence.screen import ScreenConfig
from dtinterp.equivalence.tables import write_tables
from dtinterp.foundation import __version__
from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.foundation.jobs.job_cache import JobCache, open_job_cache
from dtinterp.subject.subject import Subject

LongWork: TypeAlias = EquivalenceConfig | ScreenConfig | HistoryConfig | CheckPlaysConfig | MachineConfig
"""What may be interrupted, and gone on with."""


@dataclass(frozen=True)
class RunOptions:
    """Who takes part, and what is written beside the artefact."""

    tables: Path | None = None
    """folder for what was found as Parquet, for notebooks; none without"""
    ray_address: str | None = None
    """where Ray makes the swaps, many pieces at a time: local for the cores of this machine, or the HOST:PORT of a
    cluster (pip install 'dtinterp[ray]'); without it they are made here"""

    def cache(self, out: Path, subject: Subject, config: LongWork, *others: Artefact) -> JobCache:
        """Return the cache of the work that is to become `out`, begun or gone on with; `others` are read for it, too.

        Raises `UserError` where other work is unfinished there, be it only that other code did it.
        """
        parents = {each.name: each.manifest.digest for each in (*subject.artefacts, *others)}
        identity = {"code": __version__, **asdict(config), **parents}
        return open_job_cache(out.with_name(f"{out.name}.unfinished"), identity, ray_address=self.ray_address)

    def write(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Write the tables, if they are asked for."""
        if self.tables is not None:
            write_tables(self.tables, tables)


@dataclass(frozen=True)
class CertifyOptions(RunOptions):
    """The same, who plays beside the model, and which classes are refined."""

    agent: Path | None = None
    """folder of an agent that plays on the model's classes as the model does, in --n-episodes episodes; none without"""
    finer_than: Path | None = None
    """folder of the same model's classes in other contexts, none of which is joined again; none without"""


@dataclass(frozen=True)
class MachineOptions(RunOptions):
    """The same, and what the machine is held against."""

    equivalence: Path | None = None
    """folder of certified classes of the model, to say which pairs the machine judges otherwise; none without"""


@dataclass(frozen=True)
class PlaysOptions(RunOptions):
    """The same, and other classes that are tried likewise."""

    rivals: tuple[Path, ...] = ()
    """folders of classes of the same model that other histories or returns gave, tried in the same plays"""


HERE = RunOptions()
"""No machines but this one, and no tables."""
ALONE = CertifyOptions()
"""The same, and no agent."""
NO_CLASSES = MachineOptions()
"""The same, and no classes."""
NO_RIVALS = PlaysOptions()
"""The same, and no other classes."""
