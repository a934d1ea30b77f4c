"""Rows moved as far as the edit moves them, but elsewhere: along random directions, and the other way."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.interventions.bindings import Bindings
from dtinterp.interventions.controls.drawn import directions_of_differences
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.parts.placebo import Placebo


def along_random_directions(
    edits: Sequence[Dosed], names: Bindings, n: int, generator: torch.Generator
) -> list[list[Dosed]]:
    """Return edits along directions drawn from the span of what differs, without the edit's own; or none.

    What differs is between training rows at the same place. There are none where an edit has no directions of its own
    that are the same in all rows, or where nothing is left of the span.
    """
    drawn = []
    for edit in edits:
        own = edit.part.directions
        if own is None:
            return []
        rows = names.reference_rows(edit.at.site, edit.at.slots, edit.at.token).value
        if own.shape[1] != rows.shape[1]:
            return []
        basis = torch.linalg.qr(own.T).Q.T
        deviation = rows - rows.mean(dim=0)
        left = deviation - deviation @ basis.T @ basis
        if torch.linalg.matrix_rank(left) < len(own):
            return []
        drawn.append([_placebo(edit, directions_of_differences(left, len(own), generator)) for _ in range(n)])
    return [list(each) for each in zip(*drawn, strict=True)]


def the_other_way(edits: Sequence[Dosed]) -> list[Dosed]:
    """Return edits that move rows as far the other way; none where one has no directions that are the same in all."""
    owns = [each.part.directions for each in edits]
    return [
        each.instead(Placebo(each.part, -torch.nn.functional.normalize(own, dim=1)))
        for each, own in zip(edits, owns, strict=True)
        if own is not None and all(other is not None and len(other) == 1 for other in owns)
    ]


def _placebo(edit: Dosed, directions: Float32[Tensor, "coordinate column"]) -> Dosed:
    return edit.instead(Placebo(edit.part, torch.linalg.qr(directions.T).Q.T.contiguous()))
