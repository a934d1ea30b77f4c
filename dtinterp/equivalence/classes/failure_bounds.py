"""How often classes fail in contexts that they were not made from, beside controls.

In a context c of frame a, a class fails if some class-mate in a's place moves a decision by more than ε. With k
failures in n contexts of the class, drawn at random from its frames' distinct contexts that nothing was chosen by, as
many of each frame where it has them, the Clopper–Pearson interval of k/n holds the share of these in which the class
fails, averaged over its frames. Drawing from each frame apart, and never twice, only makes the interval wider than it
need be: after no failure in contexts that fail with chances p_i, ∏(1 − p_i) ≤ (1 − p̄)^n.

Where every distinct context of a class was tried, nothing is left to be estimated: the class fails in k of all N. In
those that it was made from it never does, since it would have been split.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from dtinterp.equivalence.partition import Partition
from dtinterp.equivalence.swaps.within_class import Attempts
from dtinterp.foundation.statistics import Interval, clopper_pearson, holm

MATES = "class-mates"


@dataclass(frozen=True)
class Bound:
    """How one class of more than one frame fared in contexts that played no part in making it."""

    label: int
    """the class"""
    n_contexts: int
    """0 where none was left to try"""
    n_swaps: int
    n_failures: int
    """contexts in which some class-mate moved a decision by more than epsilon"""
    share: Interval | None
    """of the contexts in which the class fails, at 95%; where `is_exact`, the very share of all its contexts; None
    where none was left to try"""
    maximum: float
    """largest divergence, in bits"""
    is_exact: bool
    """whether every distinct context of its frames was tried, those that the class was made from included"""


@dataclass(frozen=True)
class Arm:
    """One kind of stand-in in the same contexts: class-mates should pass, the controls should not."""

    model: str
    """trained or untrained"""
    stand_in: str
    n_contexts: int
    n_swaps: int
    share: Interval
    """of contexts in which some of these stand-ins moved a decision by more than epsilon, at 95%"""
    mean_peak: float
    """bits, over swaps"""
    p_value: float
    """one-sided sign test over contexts that these move the model more than class-mates do, Holm-adjusted over the
    arms of the same model; 1 for class-mates themselves"""


def bounds(attempts: Attempts, partition: Partition, *, epsilon: float, exact: Mapping[int, int]) -> tuple[Bound, ...]:
    """Return the bound of each class of more than one frame, in order of label.

    `attempts` are swaps between class-mates. `exact` has the classes whose contexts were all tried, by label: how many
    there are, those that the class was made from included.
    """
    shared = (partition.sizes > 1).nonzero().squeeze(1).tolist()
    return tuple(_bound(attempts, partition, label, epsilon=epsilon, n_in_all=exact.get(label)) for label in shared)


def arms(found: dict[str, Attempts], *, model: str, n_contexts: int, epsilon: float) -> tuple[Arm, ...]:
    """Return what each kind of stand-in did, class-mates first; `found` has them by name, all in the same contexts."""
    peaks = {name: _peaks(attempts, n_contexts) for name, attempts in found.items()}
    raw = np.array([_sign_test(each, peaks[MATES]) for name, each in peaks.items() if name != MATES])
    adjusted = iter(holm(raw).tolist())
    return tuple(
        _arm(name, model, attempts, epsilon=epsilon, p_value=1.0 if name == MATES else next(adjusted))
        for name, attempts in found.items()
        if len(attempts)
    )


def _bound(attempts: Attempts, partition: Partition, label: int, *, epsilon: float, n_in_all: int | None) -> Bound:
    inside = partition.label[attempts.place] == label
    peak, context = attempts.peak[inside], attempts.context[inside]
    n_contexts, n_failures = len(context.unique()), len(context[peak > epsilon].unique())
    return Bound(
        label=label,
        n_contexts=n_contexts,
        n_swaps=len(peak),
        n_failures=n_failures,
        share=_share(n_failures, n_contexts, n_in_all),
        maximum=float(peak.max()) if len(peak) else 0.0,
        is_exact=n_in_all is not None,
    )


def _share(n_failures: int, n_contexts: int, n_in_all: int | None) -> Interval | None:
    if n_in_all:
        share = n_failures / n_in_all
        return Interval(share, share, share, n_in_all)
    return clopper_pearson(n_failures, n_contexts) if n_contexts else None


def _arm(name: str, model: str, attempts: Attempts, *, epsilon: float, p_value: float) -> Arm:
    n_contexts = len(attempts.context.unique())
    n_beyond = len(attempts.context[attempts.peak > epsilon].unique())
    return Arm(
        model=model,
        stand_in=name,
        n_contexts=n_contexts,
        n_swaps=len(attempts),
        share=clopper_pearson(n_beyond, n_contexts),
        mean_peak=float(attempts.peak.double().mean()),
        p_value=p_value,
    )


def _peaks(attempts: Attempts, n_contexts: int) -> Float64[np.ndarray, " context"]:
    """Return the mean peak of each context's swaps; NaN where there was none."""
    context = attempts.context.numpy()
    n = np.bincount(context, minlength=n_contexts)
    total = np.bincount(context, weights=attempts.peak.double().numpy(), minlength=n_contexts)
    return np.divide(total, n, out=np.full(n_contexts, np.nan), where=n > 0)


def _sign_test(control: Float64[np.ndarray, " context"], mates: Float64[np.ndarray, " context"]) -> float:
    """Return the chance of so many contexts in which the control moved the model more, were both alike."""
    differs: Bool[np.ndarray, " context"] = ~np.isnan(control) & ~np.isnan(mates) & (control != mates)
    if not differs.any():
        return 1.0
    n_more = int((control[differs] > mates[differs]).sum())
    return float(stats.binomtest(n_more, int(differs.sum()), alternative="greater").pvalue)
