"""What of a row is edited. A new part is a file here, and a line in `What`."""

from typing import Annotated, TypeAlias

from pydantic import Tag

from dtinterp.foundation.specifications import ToldBy
from dtinterp.interventions.parts.along import Direction, Item, Span
from dtinterp.interventions.parts.code import Feature
from dtinterp.interventions.parts.columns import Pattern
from dtinterp.interventions.parts.whole import Token

What: TypeAlias = Annotated[
    Annotated[Feature, Tag("feature")]
    | Annotated[Direction, Tag("direction")]
    | Annotated[Span, Tag("subspace")]
    | Annotated[Item, Tag("item")]
    | Annotated[Token, Tag("token")]
    | Annotated[Pattern, Tag("pattern")],
    ToldBy(("feature", "direction", "subspace", "item", "token", "pattern"), of="part of a row"),
]
"""Every part of a row that an edit can name."""
