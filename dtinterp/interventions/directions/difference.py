"""The difference of mean rows between windows that differ in a fact."""

from typing import Literal

from dtinterp.interventions.directions.finder import FoundDirections, Material, unit
from dtinterp.interventions.directions.labelled_rows import OfLabelledRows


class DifferenceDirection(OfLabelledRows):
    """From the mean row of the second value to that of the first; it reads the fact by the middle between them."""

    kind: Literal["difference"] = "difference"

    def find(self, material: Material) -> FoundDirections:
        """Return the direction, and how well it reads the fact off held-out rows."""
        found = self.found_in(material)
        first, second = found.means
        vector = unit(first - second, f"the difference of mean rows by {self.fact}")
        judged = self.judged_on(material)
        centred = found.rows - found.rows.mean(dim=0)
        return FoundDirections(
            vectors=vector[None],
            names=(f"{self.fact} difference",),
            found_at=material.site,
            explains={
                "gap": float((first - second).norm()),
                "variance share": float((centred @ vector).square().sum() / centred.square().sum()),
                "held-out accuracy": judged.accuracy(vector, float((first + second) @ vector) / 2),
                "held-out majority": judged.majority,
                "held-out rows": float(len(judged.rows)),
            },
        )
