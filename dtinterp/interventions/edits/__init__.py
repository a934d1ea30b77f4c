"""How parts of rows change. A new edit is a file here, and its lines in `AnyEdit`."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Tag

from dtinterp.foundation.specifications import ToldBy, understood
from dtinterp.interventions.edits.ablate import Ablate
from dtinterp.interventions.edits.add import Add
from dtinterp.interventions.edits.clamp import Clamp
from dtinterp.interventions.edits.oblique import Oblique
from dtinterp.interventions.edits.project import Project
from dtinterp.interventions.edits.rewrite import Rewrite
from dtinterp.interventions.edits.scale import Scale
from dtinterp.interventions.edits.set import Set
from dtinterp.interventions.edits.swap import Swap

AnyEdit: TypeAlias = Annotated[
    Annotated[Set, Tag("set")]
    | Annotated[Add, Tag("add")]
    | Annotated[Scale, Tag("scale")]
    | Annotated[Clamp, Tag("clamp")]
    | Annotated[Ablate, Tag("ablate")]
    | Annotated[Swap, Tag("swap")]
    | Annotated[Oblique, Tag("oblique")]
    | Annotated[Rewrite, Tag("rewrite")]
    | Annotated[Project, Tag("project")],
    ToldBy(("set", "add", "scale", "clamp", "ablate", "swap", "oblique", "rewrite", "project"), of="edit"),
]
"""Every edit that a file can name."""


def edit_of(words: Mapping[str, object]) -> AnyEdit:
    """Return the edit that these words say, as in a file. Raises `UserError` for the first that is wrong."""
    return understood(dict(words), AnyEdit, whence="the edit")
