"""Linear probes of facts, beside probes of shuffled labels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64, Shaped
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from dtinterp.dictionary.rows.table import check_rows
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.statistics import Interval, wilson

PENALTY = 1.0
"""Inverse strength of the ridge on standardised coordinates."""
MAX_STEPS = 2000


@dataclass(frozen=True)
class Probe:
    """How well logistic regression reads one fact off rows that it was not fitted to; Wilson intervals over rows."""

    accuracy: Interval
    """share of held-out rows whose fact is read off right"""
    majority: Interval
    """share that the most frequent value of the fit would get right: what knowing nothing achieves"""
    shuffled: Interval
    """accuracy of a probe of the same rows whose values were dealt out anew, on the held-out rows as they are; what
    is left is chance"""
    memorised: Interval
    """accuracy of that probe on its own shuffled values: how much a probe of this size can learn by heart"""
    n_classes: int
    n_fitted: int
    """rows of the fit"""


def probe_facts(
    fitted: Float32[Tensor, "fitted d_model"],
    fitted_facts: Int64[Tensor, "fitted fact"],
    held_out: Float32[Tensor, "row d_model"],
    held_out_facts: Int64[Tensor, "row fact"],
    *,
    names: tuple[str, ...],
    generator: np.random.Generator,
) -> dict[str, Probe]:
    """Return a probe, by its name, for each fact that takes at least two values in the fit.

    Give distinct rows, each once, and held-out rows that are none of the fit's: then every row is one sample. Shuffled
    labels are the control of Hewitt & Liang 2019, arXiv:1909.03368, §2. Raises `UserError` where tables disagree or
    hold NaN.
    """
    _check(fitted, fitted_facts, names)
    _check(held_out, held_out_facts, names)
    x, y = fitted.double().cpu().numpy(), fitted_facts.cpu().numpy()
    new_x, new_y = held_out.double().cpu().numpy(), held_out_facts.cpu().numpy()
    return {
        name: _probe((x, y[:, place]), (new_x, new_y[:, place]), generator)
        for place, name in enumerate(names)
        if len(np.unique(y[:, place])) > 1
    }


def one_each(
    rows: Float32[Tensor, "row d_model"], member: Int64[Tensor, " row"], facts: Int64[Tensor, "row fact"]
) -> Bool[Tensor, " row"]:
    """Return which rows are the first of their kind: same row and same facts, since one row may go with several."""
    kinds = torch.cat([member[:, None], facts], dim=1).unique(dim=0, return_inverse=True)[1]
    first = torch.full((int(kinds.max()) + 1,), len(rows)).scatter_reduce(0, kinds, torch.arange(len(rows)), "amin")
    return torch.zeros(len(rows), dtype=torch.bool).index_fill_(0, first, value=True)


Table = tuple[Float64[np.ndarray, "_ d_model"], Shaped[np.ndarray, " _"]]


def _probe(fitted: Table, held_out: Table, generator: np.random.Generator) -> Probe:
    x, y = fitted
    dealt = generator.permutation(y)
    reading, guessing = fitted_probe(x, y), fitted_probe(x, dealt)
    values, counts = np.unique(y, return_counts=True)
    return Probe(
        accuracy=_share(reading.predict(held_out[0]) == held_out[1]),
        majority=_share(held_out[1] == values[counts.argmax()]),
        shuffled=_share(guessing.predict(held_out[0]) == held_out[1]),
        memorised=_share(guessing.predict(x) == dealt),
        n_classes=len(values),
        n_fitted=len(x),
    )


def fitted_probe(x: Float64[np.ndarray, "row d_model"], y: Shaped[np.ndarray, " row"]) -> Pipeline:
    """Return logistic regression on standardised rows, fitted: the standardisation, then the regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=MAX_STEPS)).fit(x, y)


def _share(is_right: Bool[np.ndarray, " row"]) -> Interval:
    return wilson(int(is_right.sum()), len(is_right))


def _check(rows: Tensor, facts: Tensor, names: tuple[str, ...]) -> None:
    check_rows(rows, rows.shape[1])
    if facts.shape != (len(rows), len(names)):
        raise UserError(
            f"The facts have shape {tuple(facts.shape)} for {len(rows)} rows and {len(names)} names: give one for each."
        )
