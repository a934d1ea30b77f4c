"""Settings of a fit, checked, and what is told of one that is under way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dtinterp.dictionary.kinds import Kind, MapKind
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.kinds.maps.transcoder import SkipTranscoder
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible

SHARED = ("n_steps", "batch_rows", "learning_rate", "silent_steps", "warmup")
"""Settings in which all that is fitted step by step in one stack agrees."""


@dataclass(frozen=True)
class FitConfig:
    """How a dictionary is fitted."""

    kind: Kind = field(default_factory=TopK)
    """an autoencoder, or a baseline that it has to beat"""
    width: int = 512
    """features of an autoencoder or of random directions; the others know theirs"""
    n_steps: int = 1000
    """steps of Adam (baselines need none)"""
    batch_rows: int = 1024
    """rows a step; where there are no more rows than this, every step sees them all"""
    learning_rate: float = 3e-3
    """of Adam; falls linearly to zero over the last fifth of the steps"""
    warmup: float = 0.05
    """share of the steps over which a price (L1, JumpReLU, Gated) rises from zero"""
    silent_steps: int = 50
    """steps without firing after which a feature takes part in the auxiliary loss; of L1, starts anew at its time"""
    name: str = ""
    """what the dictionary is called; empty: kind, width, sparsity and member"""
    member: int = 0
    """tells apart dictionaries of one stack that differ in their first weights alone"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for setting in ("n_steps", "batch_rows", "silent_steps"):
            if getattr(self, setting) < 1:
                raise UserError(f"{setting} is {getattr(self, setting)}, expected at least 1: give a larger number.")
        if not 0 < self.learning_rate < 1:
            raise UserError(f"learning_rate is {self.learning_rate}, expected between 0 and 1: give another one.")
        if not 0 <= self.warmup <= 1:
            raise UserError(f"warmup is {self.warmup}, expected a share from 0 to 1: give another one.")
        self.kind.check_width(self.n_features)
        require_sensible(self)

    @property
    def n_features(self) -> int:
        """The width of the dictionary that will be made; of items and identity only an upper bound is known yet."""
        return self.kind.n_features(self.width)

    @property
    def title(self) -> str:
        """The dictionary's name."""
        return self.name or self.kind.title(self.width) + (f"-m{self.member}" if self.member else "")


@dataclass(frozen=True)
class MapConfig(FitConfig):
    """How a map is fitted."""

    kind: MapKind = field(default_factory=SkipTranscoder)
    """a transcoder, or the linear map that it has to beat"""


@dataclass(frozen=True)
class FitProgress:
    """How far a fit has come, measured on the step's batch; means over the members of a stack."""

    step: int
    """steps done"""
    n_steps: int
    fvu: float
    """share of the variance that the reconstruction misses"""
    l0: float
    """mean number of active features"""
    silent_share: float
    """share of features that have not fired for `silent_steps` steps"""
    loss: float
    """what is descended"""
    rows_per_second: float
    """rows learnt since the report before, each counted once for every member"""


@dataclass(frozen=True)
class Watch:
    """What a fit does beside fitting."""

    on_progress: Callable[[FitProgress], None] | None = None
    """is told about a hundred times how far it is"""
    unfinished: Path | None = None
    """file from which an interrupted fit goes on, and which it writes as often; whoever keeps the result removes it"""


UNWATCHED = Watch()
"""Nobody looks on, and nothing is kept of a fit that is interrupted."""


def check_stack(configs: Sequence[FitConfig], *, of: str = "dictionaries") -> None:
    """Raise `UserError` where there are no configs, or two would have the same name."""
    if not configs:
        raise UserError(f"The stack has 0 {of}, expected at least 1: give a configuration.")
    titles = [config.title for config in configs]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        number = titles.count(twice[0])
        raise UserError(
            f"The stack has {number} {of} called {twice[0]!r}, expected 1: ask for it once, or give each its member."
        )


def check_shared(configs: Sequence[FitConfig], *, of: str = "dictionaries") -> None:
    """Raise `UserError` where configs cannot be fitted on batches of one size, step by step."""
    for setting in SHARED:
        values = sorted({getattr(config, setting) for config in configs})
        if len(values) > 1:
            raise UserError(
                f"The {of} of the stack have {setting} {' and '.join(map(str, values))}, expected one value: "
                "fit them in separate stacks."
            )
