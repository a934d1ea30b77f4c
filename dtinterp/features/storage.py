"""A feature table becomes an artefact, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.features.table import Alignment, FactValue, FeatureTable, ItemMaps, TopFrames
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.soundness import understood

ARTEFACT_KIND = "features"


def save_features(
    path: Path,
    table: FeatureTable,
    *,
    parents: Sequence[Artefact],
    seed: int,
    replace: bool = False,
    known: Mapping[str, JSON] = MappingProxyType({}),
) -> Artefact:
    """Write the table to the folder `path`; `known` are more metrics, such as the verdict on the dictionary.

    Raises `UserError` where `path` exists and `replace` is not given.
    """
    settings = _Settings(table.name, table.site, table.alignment.n_rows, table.alignment.fact_values)
    groups = {"table": table, "top": table.top, "maps": table.maps, "alignment": table.alignment}
    tensors = {
        f"{group}.{field.name}": getattr(part, field.name)
        for group, part in groups.items()
        for field in fields(part)
        if isinstance(getattr(part, field.name), Tensor)
    }
    metrics = {"n_features": table.n_features, "n_dead": int((table.density == 0).sum())}
    content = Content(ARTEFACT_KIND, config=asdict(settings), tensors=tensors, metrics={**metrics, **known})
    return write_artefact(path, content, parents=parents, seed=seed, replace=replace)


@understood(ARTEFACT_KIND)
def load_features(path: Path, *, parent: Artefact | None = None) -> FeatureTable:
    """Read the table in the folder `path`; with `parent`, check that it was made from just that artefact.

    Raises `UserError` where it is missing, damaged, or of another schema or parent.
    """
    artefact = read_artefact(path, kind=ARTEFACT_KIND, parent=parent)
    settings = TypeAdapter(_Settings).validate_python(artefact.config)
    alignment = Alignment(
        fact_values=settings.fact_values, n_rows=settings.n_rows, **_group(artefact.tensors, "alignment")
    )
    return FeatureTable(
        **_group(artefact.tensors, "table"),
        top=TopFrames(**_group(artefact.tensors, "top")),
        maps=ItemMaps(**{"written": None, **_group(artefact.tensors, "maps")}),
        alignment=alignment,
        site=settings.site,
        name=settings.name,
    )


@dataclass(frozen=True)
class _Settings:
    name: str
    site: str
    n_rows: int
    fact_values: tuple[FactValue, ...]


def _group(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{group}."): tensor for name, tensor in tensors.items() if name.startswith(f"{group}.")}
