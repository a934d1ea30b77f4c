"""The labels of one dictionary, with what each is worth and the verdict on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from dtinterp.foundation.artefacts.codec import ArtefactKind, Beside
from dtinterp.foundation.artefacts.soundness import require_equally_many
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.ranges import require_sensible
from dtinterp.foundation.statistics import Interval, wilson

VERDICTS = ("good label", "no good label", "too rare", "dead")


@dataclass(frozen=True)
class LabelConfig:
    """How labels are looked for, and which are good."""

    n_literals: int = 3
    """statements, or their negations, that a label may join with "and" """
    beam: int = 16
    """conjunctions of one size that are tried with every further statement"""
    held_out_share: float = 0.3
    """share of the distinct frames that the search never sees and labels are judged on"""
    n_inputs: int = 4000
    """distinct inputs at most on each side, drawn at random"""
    min_f1: float = 0.8
    """a good label reaches this F1 on frames that the search never saw ..."""
    min_lift: float = 0.5
    """... and goes so far from the F1 of saying "always" towards 1"""
    min_firings: int = 5
    """a feature that fires in fewer distinct inputs, on either side, is too rare to be judged"""
    n_examples: int = 4
    """counterexamples kept of each sort for each feature"""
    seed: int = 0
    """of the split, the draws and the shuffle"""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("n_literals", "beam", "n_inputs", "min_firings", "n_examples"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected at least 1: give a larger number.")
        for name in ("held_out_share", "min_f1", "min_lift"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}, expected between 0 and 1: give another share.")
        require_sensible(self)


@dataclass(frozen=True)
class Counts:
    """How often a label is said and a feature fires, over distinct inputs."""

    n_both: Int64[Tensor, " feature"]
    n_said: Int64[Tensor, " feature"]
    n_fires: Int64[Tensor, " feature"]
    n_inputs: int

    @property
    def precision(self) -> Float32[Tensor, " feature"]:
        """Share of the inputs of which the label is true where the feature fires; 0 where it is never true."""
        return (self.n_both / self.n_said.clamp_min(1)).float()

    @property
    def recall(self) -> Float32[Tensor, " feature"]:
        """Share of the inputs where the feature fires of which the label is true; 0 where it never fires."""
        return (self.n_both / self.n_fires.clamp_min(1)).float()

    @property
    def f1(self) -> Float32[Tensor, " feature"]:
        """Harmonic mean of precision and recall: 2 n_both / (n_said + n_fires)."""
        return (2 * self.n_both / (self.n_said + self.n_fires).clamp_min(1)).float()

    @property
    def base_rate(self) -> Float32[Tensor, " feature"]:
        """Share of the inputs where the feature fires: the precision of saying "always"."""
        return (self.n_fires / self.n_inputs).float()

    @property
    def lift(self) -> Float32[Tensor, " feature"]:
        """`(F1 - F1_always) / (1 - F1_always)`, with `F1_always = 2 b / (1 + b)` for a base rate of b."""
        always = 2 * self.base_rate / (1 + self.base_rate)
        return (self.f1 - always) / (1 - always).clamp_min(1e-6)


@dataclass(frozen=True)
class Counterexamples:
    """Held-out rows that speak against each label; step and slot are -1 where there are no more."""

    step: Int64[Tensor, "feature example"]
    """flat step in the trajectories, which leads to frame and window"""
    slot: Int64[Tensor, "feature example"]
    """place in the window, counted from 0"""


@dataclass(frozen=True)
class Labels:
    """The best label of each feature of one dictionary, judged on frames that the search never saw."""

    words: tuple[str, ...]
    """empty where nothing was worth its length"""
    worth: Float32[Tensor, " feature"]
    """bits that the label saves on the searched side, its own length paid; a feature whose firings are shuffled gets b
    bits or more with a chance of at most 2^-b"""
    searched: Counts
    judged: Counts
    missed: Counterexamples
    """the feature fires and the label is false, strongest first"""
    spurious: Counterexamples
    """the label is true and the feature is silent, one for each frame as far as there are enough"""
    shuffled: Counts
    """the same search and judgement where each input has the firings of another, on frames never searched"""
    config: LabelConfig
    name: str
    """the dictionary's"""
    site: str

    def __post_init__(self) -> None:
        """Refuse parts about other features."""
        counts = {"searched": self.searched, "judged": self.judged, "shuffled": self.shuffled}
        examples = {"missed": self.missed, "spurious": self.spurious}
        require_equally_many(
            words=len(self.words),
            worths=len(self.worth),
            **{name: len(part.n_fires) for name, part in counts.items()},
            **{name: len(part.step) for name, part in examples.items()},
        )

    @property
    def verdict(self) -> Int64[Tensor, " feature"]:
        """Return the place in `VERDICTS` of what is to be said of each feature."""
        return verdict(self.searched, self.judged, self.config)

    def good(self, feature: int) -> str:
        """Return a feature's label; nothing where it is no good one."""
        is_good = int(self.verdict[feature]) == VERDICTS.index("good label")
        return self.words[feature] if is_good else ""

    @property
    def share(self) -> Interval:
        """Share of the features that can be judged that have a good label, with Wilson's interval."""
        return good_share(self.verdict)

    @property
    def shuffled_share(self) -> Interval:
        """The same where firings are shuffled: how often the procedure finds a label for nothing."""
        return good_share(verdict(self.searched, self.shuffled, self.config))


def verdict(searched: Counts, judged: Counts, config: LabelConfig) -> Int64[Tensor, " feature"]:
    """Return the place in `VERDICTS` of what is to be said of each feature."""
    fewest = torch.minimum(searched.n_fires, judged.n_fires)
    is_good = (judged.f1 >= config.min_f1) & (judged.lift >= config.min_lift)
    found = torch.where(is_good, VERDICTS.index("good label"), VERDICTS.index("no good label"))
    found = torch.where(fewest < config.min_firings, VERDICTS.index("too rare"), found)
    return torch.where(searched.n_fires + judged.n_fires == 0, VERDICTS.index("dead"), found)


def good_share(verdicts: Int64[Tensor, " feature"]) -> Interval:
    """Return the share of good labels among the features that can be judged; 0 of 1 where none can."""
    n_good = int((verdicts == VERDICTS.index("good label")).sum())
    n_judged = n_good + int((verdicts == VERDICTS.index("no good label")).sum())
    return wilson(n_good, max(n_judged, 1))


@dataclass(frozen=True)
class LabelSummary:
    """How the features of one dictionary fared."""

    n_features: Mapping[str, int]
    """features by verdict"""
    share: Interval
    """share of the features that can be judged that have a good label"""
    shuffled_share: Interval
    """the same where each input has the firings of another"""
    median_f1: float
    """of the features that can be judged, on frames never searched; 0 where none can"""
    n_searched: int
    """distinct inputs on which labels were searched"""
    n_judged: int
    """distinct inputs, of other frames, on which they were judged"""


@dataclass(frozen=True)
class LabelStudy:
    """The labels of one dictionary, and how a dictionary of the same make fares in a model that was never trained."""

    labels: Labels
    untrained: LabelSummary


def summary_of(labels: Labels) -> LabelSummary:
    """Return how the features of the labels' dictionary fared."""
    found = labels.verdict
    can_be_judged = (found == VERDICTS.index("good label")) | (found == VERDICTS.index("no good label"))
    return LabelSummary(
        n_features={name: int((found == place).sum()) for place, name in enumerate(VERDICTS)},
        share=labels.share,
        shuffled_share=labels.shuffled_share,
        median_f1=float(labels.judged.f1[can_be_judged].median()) if can_be_judged.any() else 0.0,
        n_searched=labels.searched.n_inputs,
        n_judged=labels.judged.n_inputs,
    )


LABELS = ArtefactKind(
    "labels",
    LabelStudy,
    places={
        "labels": "config",
        "untrained": "metrics.untrained",
        **{f"labels.{side}.n_inputs": f"config.n_inputs.{side}" for side in ("searched", "judged", "shuffled")},
    },
    tensors={"labels": ""},
    beside=lambda study: Beside(metrics={"trained": asdict(summary_of(study.labels))}),
)
