"""Reports of searches: per window the smallest edits that flip, what else does, and how natural each of them is."""

from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from dtinterp.adversaries.config import AdversaryConfig
from dtinterp.adversaries.strategies.strategy import Proof
from dtinterp.adversaries.understanding import Understanding
from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.statistics import Interval


@dataclass(frozen=True)
class Adversary:
    """A window with edits in it, what the objective is then, and how natural the window is."""

    edits: tuple[str, ...]
    """in words"""
    value: float
    """of the objective; below 0 where it is flipped"""
    log_likelihood: float
    """nats by which the window is likelier than the original under the cell model, mostly below 0"""
    is_of_world: bool
    """whether all edits are of the world, so that each frame shows what one legal world would show"""
    cells_from_shown: int
    """cells by which its frames differ, together, from frames that the world shows somewhere"""
    cells_from_same: int
    """cells by which it differs from the nearest window that the world could show under these actions, and at whose end
    the same is best as in the original"""
    cells_from_other: int
    """the same of windows at whose end something else is best; 1,000,000 where there are none"""
    frames: UInt8[Tensor, "real view view 3"]

    @property
    def flips(self) -> bool:
        """Whether the objective is flipped."""
        return self.value < 0

    @property
    def is_possible(self) -> bool:
        """Whether the world could show just this window."""
        return min(self.cells_from_same, self.cells_from_other) == 0

    @property
    def keeps(self) -> bool:
        """Whether an observer who takes the window for the nearest possible one would still do what was best."""
        return self.cells_from_same < self.cells_from_other


@dataclass(frozen=True)
class OfSize:
    """What a search found among sets of so many edits."""

    n_edits: int
    n_candidates: int
    """evaluated"""
    n_flipping: int
    n_keeping: int
    """sets that flip though what is best stays nearest, see `Adversary.keeps`"""
    n_undecided: int
    """sets that flip and lie as near to windows where the same is best as to others, such as a moved instruction"""
    lowest: Adversary
    """with the lowest value"""
    likeliest: Adversary | None
    """of those that flip the one whose window is likeliest; None where none flips"""
    likeliest_keeping: Adversary | None
    """the same of those that flip though what is best stays nearest"""


@dataclass(frozen=True)
class RandomControl:
    """Random sets of as many edits as the smallest that flips, under the same budget."""

    n_edits: int
    flipping: Interval
    """share of them that flip"""
    as_likely: Interval | None
    """the same among those that are at least as likely as the likeliest adversary; None where none is"""


@dataclass(frozen=True)
class SceneSearch:
    """The search in one window."""

    scene: str
    objective: str
    original: float
    """the objective's value as things are"""
    n_edits_known: int
    """single edits that could be combined"""
    sizes: tuple[OfSize, ...]
    proof: Proof
    control: RandomControl | None
    """None where nothing flips"""
    possible: tuple[Adversary, ...]
    """every other window that the world could show under the same actions, with the objective's value: the natural
    complements, such as the flipped instruction"""
    curve: tuple[tuple[int, float], ...]
    """lowest value after so many candidates, wherever it fell"""
    frames: UInt8[Tensor, "real view view 3"]
    """as things are"""
    understanding: Understanding = Understanding()
    """of the smallest adversaries"""

    @property
    def smallest(self) -> OfSize | None:
        """The sets of the fewest edits that flip; None where none do."""
        return next((each for each in self.sizes if each.n_flipping), None)

    @property
    def n_candidates(self) -> int:
        """Candidates evaluated."""
        return sum(each.n_candidates for each in self.sizes)


@dataclass(frozen=True)
class AdversaryReport:
    """Searches for the smallest edits that flip what a model does, in several windows."""

    env_id: str
    config: AdversaryConfig
    scenes: tuple[SceneSearch, ...]


def _at_a_glance(report: AdversaryReport) -> Beside:
    return Beside(metrics={"smallest": {each.scene: _glance(each) for each in report.scenes}})


def _glance(search: SceneSearch) -> str:
    smallest = search.smallest
    if smallest is None or smallest.likeliest is None:
        return f"none of {search.n_candidates} sets flips it"
    words = "; ".join(smallest.likeliest.edits)
    return f"{smallest.n_flipping} of {smallest.n_candidates} sets of {smallest.n_edits}, the likeliest {words}"


ADVERSARIES = ArtefactKind("adversaries", AdversaryReport, beside=_at_a_glance)
