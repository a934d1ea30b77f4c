"""A linear probe's direction: the normal of the plane that tells a fact's two values apart."""

from typing import Literal, cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dtinterp.dictionary.evaluation.probes import fitted_probe
from dtinterp.foundation.seeding import numpy_generator
from dtinterp.interventions.directions.finder import FoundDirections, Material, unit
from dtinterp.interventions.directions.labelled_rows import LabelledRows, OfLabelledRows


class ProbeDirection(OfLabelledRows):
    """Logistic regression of the fact on standardised rows; the direction is that of its weights on rows as they are.

    Beside it stands a probe of the same rows with shuffled values (Hewitt & Liang 2019, arXiv:1909.03368).
    """

    kind: Literal["probe"] = "probe"

    def find(self, material: Material) -> FoundDirections:
        """Return the direction, and how well the probe reads the fact off held-out rows."""
        found = self.found_in(material)
        judged = self.judged_on(material)
        shuffled = numpy_generator(material.seed, "interventions/probe").permutation(len(found.rows))
        weights, accuracy = probed(found, judged, np.arange(len(found.rows)))
        return FoundDirections(
            vectors=unit(weights, f"the probe of {self.fact}")[None],
            names=(f"{self.fact} probe",),
            found_at=material.site,
            explains={
                "held-out accuracy": accuracy,
                "held-out accuracy, shuffled": probed(found, judged, shuffled)[1],
                "held-out majority": judged.majority,
                "held-out rows": float(len(judged.rows)),
            },
        )


def probed(found: LabelledRows, judged: LabelledRows, order: np.ndarray) -> tuple[torch.Tensor, float]:
    """Return the weights of a probe on rows as they are, positive for the first value, and its accuracy elsewhere."""
    fitted = fitted_probe(found.rows.double().numpy(), found.is_first.numpy()[order])
    scaling, regression = cast(StandardScaler, fitted[0]), cast(LogisticRegression, fitted[1])
    right = fitted.predict(judged.rows.double().numpy()) == judged.is_first.numpy()
    return torch.tensor(regression.coef_[0] / scaling.scale_), float(right.mean())
