"""What a user wants of a map becomes a checked configuration."""

from dataclasses import dataclass, field

from dtinterp.dictionary.transcoders.maps import Linear, MapKind, SkipTranscoder, Transcoder
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible


@dataclass(frozen=True)
class MapConfig:
    """How a map is fitted."""

    kind: MapKind = field(default_factory=SkipTranscoder)
    """a transcoder, or the linear map that it has to beat"""
    width: int = 512
    """features of a transcoder"""
    n_steps: int = 1000
    """steps of Adam (a linear map needs none)"""
    batch_rows: int = 1024
    """rows a step"""
    learning_rate: float = 3e-3
    """of Adam; falls linearly to zero over the last fifth of the steps"""
    silent_steps: int = 50
    """steps without firing after which a feature takes part in the auxiliary loss"""
    member: int = 0
    """tells apart transcoders that differ in their first weights alone"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for setting in ("width", "n_steps", "batch_rows", "silent_steps"):
            if getattr(self, setting) < 1:
                raise UserError(f"{setting} is {getattr(self, setting)}, expected at least 1: give a larger number.")
        if not 0 < self.learning_rate < 1:
            raise UserError(f"learning_rate is {self.learning_rate}, expected between 0 and 1: give another one.")
        if not isinstance(self.kind, Linear) and self.kind.k > self.width:
            raise UserError(f"k is {self.kind.k}, expected at most the width {self.width}: give a smaller k.")
        require_sensible(self)

    @property
    def title(self) -> str:
        """The map's name."""
        member = f"-m{self.member}" if self.member else ""
        match self.kind:
            case Linear():
                return "linear"
            case Transcoder(k=k):
                return f"transcoder-{self.width}-k{k}{member}"
            case SkipTranscoder(k=k):
                return f"skip-transcoder-{self.width}-k{k}{member}"
