"""The feature that tells each truth best, judged on frames that the choice never saw."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from dtinterp.features.truth.alignment import auroc_of
from dtinterp.foundation.artefacts.soundness import require_equally_many

COVERED = 0.8
"""F1 from which a truth counts as told by a feature."""


@dataclass(frozen=True)
class Evidence:
    """Truths and activations on one side of a division of rows."""

    truth: Bool[Tensor, "row truth"]
    value: Float32[Tensor, "row feature"]

    def shuffled(self, rng: torch.Generator) -> "Evidence":
        """Return the same with each row given the truths of another."""
        return Evidence(self.truth[torch.randperm(len(self.truth), generator=rng)], self.value)


@dataclass(frozen=True)
class Detection:
    """The best feature for each truth: chosen by F1 on one side, judged on the other, which shares no frame with it.

    A feature says that a truth holds where it is active, that is, above 0.
    """

    truth: tuple[str, ...]
    feature: Int64[Tensor, " truth"]
    precision: Float32[Tensor, " truth"]
    """0 where the feature is never active"""
    recall: Float32[Tensor, " truth"]
    auroc: Float32[Tensor, " truth"]
    """of its activation"""
    base_rate: Float32[Tensor, " truth"]
    control: Float32[Tensor, " truth"]
    """F1 where choice and judgement are made with the truths of other rows"""

    def __post_init__(self) -> None:
        """Refuse features of other truths."""
        require_equally_many(truths=len(self.truth), features=len(self.feature))

    @property
    def f1(self) -> Float32[Tensor, " truth"]:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / (self.precision + self.recall).clamp_min(1e-12)

    @property
    def coverage(self) -> float:
        """Share of the truths that some feature tells with an F1 of `COVERED` or more."""
        return float((self.f1 >= COVERED).double().mean()) if len(self.truth) else 0.0

    @property
    def uniqueness(self) -> float:
        """Distinct features over truths, among the truths that are covered: 1 where each has a feature of its own."""
        told = self.feature[self.f1 >= COVERED]
        return len(told.unique()) / len(told) if len(told) else 0.0


def detect(searched: Evidence, judged: Evidence, names: tuple[str, ...], rng: torch.Generator) -> Detection:
    """Return the detection of every truth; names are the truths'."""
    feature, precision, recall = _best(searched, judged)
    _, precise, recalled = _best(searched.shuffled(rng), judged.shuffled(rng))
    ranked = [auroc_of(judged.value[:, [best]], judged.truth[:, [n]]) for n, best in enumerate(feature.tolist())]
    return Detection(
        truth=names,
        feature=feature,
        precision=precision,
        recall=recall,
        auroc=torch.cat(ranked).flatten() if ranked else precision,
        base_rate=judged.truth.float().mean(dim=0),
        control=2 * precise * recalled / (precise + recalled).clamp_min(1e-12),
    )


def tellable(searched: Bool[Tensor, "row truth"], judged: Bool[Tensor, "other truth"], fewest: int) -> Tensor:
    """Return the places of the truths that hold, and fail, in at least `fewest` rows of either side."""
    counts = [side.sum(dim=0) for side in (searched, ~searched, judged, ~judged)]
    return (torch.stack(counts).amin(dim=0) >= fewest).nonzero().squeeze(1)


def _best(searched: Evidence, judged: Evidence) -> tuple[Tensor, Tensor, Tensor]:
    """Return the feature with the largest F1 on the one side, and its precision and recall on the other."""
    fires = (searched.value > 0).float()
    both = fires.T @ searched.truth.float()  # feature truth
    f1 = 2 * both / (fires.sum(dim=0)[:, None] + searched.truth.sum(dim=0)).clamp_min(1)
    feature = f1.argmax(dim=0)
    said = judged.value[:, feature] > 0  # other truth
    right = (said & judged.truth).sum(dim=0)
    return feature, right / said.sum(dim=0).clamp_min(1), right / judged.truth.sum(dim=0).clamp_min(1)
