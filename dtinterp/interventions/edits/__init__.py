"""Edits of rows of a site. A new one is a file here, and its line in `EDITS`."""

from dtinterp.interventions.edits.directions import AblateDirection, AddDirection, SetDirection
from dtinterp.interventions.edits.edit import Edit
from dtinterp.interventions.edits.features import AblateFeature, AddFeature, SetFeature
from dtinterp.interventions.edits.placebo import PlaceboDirection

EDITS: tuple[type[Edit], ...] = (
    *(SetDirection, AddDirection, AblateDirection),
    *(SetFeature, AddFeature, AblateFeature),
    PlaceboDirection,
)
"""Every kind of edit."""
