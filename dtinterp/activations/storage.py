"""Storage of harvested rows, written as they come: they are never in memory as a whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from dtinterp.activations.harvest import Activations, harvested
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.artefacts.artefact import JSON, Artefact, Content, drafted, require_made_from
from dtinterp.foundation.artefacts.codec import ArtefactKind, read
from dtinterp.foundation.artefacts.growing import GrowingTensor
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import TrainedModel

ACTIVATIONS = ArtefactKind("activations", Activations)
VALUE = "value"
COLUMN_TYPES = {VALUE: torch.float32, "step": torch.int64, "slot": torch.int64}


@dataclass(frozen=True)
class HarvestSource:
    """What rows are harvested from, and whence it comes."""

    trained: TrainedModel
    demonstrations: Artefact
    """what the windows were cut from"""
    windows: Iterable[Windows]
    items: Float32[Tensor, "frame item"]


def record_harvest(
    path: Path, source: HarvestSource, *, site: str, settings: Mapping[str, JSON], seed: int, replace: bool = False
) -> Artefact:
    """Harvest the rows of windows at a site and write them as they come: values, and each row's step and slot.

    The parents are the model and the demonstrations, so a row leads back to its episode. `settings`, which say how
    windows were chosen, stand in the config beside the site. The file of the values is one table: `fit` takes it as a
    file of rows. Raises `UserError` where there are no windows or there is no such site.
    """
    with drafted(path, replace=replace) as draft:
        n_rows = _grow(draft.folder, harvested(source.trained.model, source.windows, source.items, site))
        content = Content(ACTIVATIONS.name, {**settings, "site": site}, tensors={}, metrics={"n_rows": n_rows})
        return draft.finish(content, parents=(source.trained.artefact, source.demonstrations), seed=seed)


def load_harvest(path: Path, *, parents: Sequence[Artefact] = ()) -> tuple[Activations, Artefact]:
    """Map rows and read their artefact; check that they were made from each of `parents`.

    Raises `UserError` where there are none, damaged ones, or rows of another parent.
    """
    rows, artefact = read(path, ACTIVATIONS)
    for parent in parents:
        require_made_from(artefact, parent)
    return rows, artefact


def _grow(folder: Path, parts: Iterator[Activations]) -> int:
    """Write the parts into a file a column as they come; return how many rows there are."""
    columns: dict[str, GrowingTensor] = {}
    with ExitStack() as opened:
        for part in parts:
            columns = columns or {
                name: opened.enter_context(closing(GrowingTensor(folder, name, dtype, width=_width(part, name))))
                for name, dtype in COLUMN_TYPES.items()
            }
            for name, column in columns.items():
                column.append(getattr(part, name))
    if not columns:
        raise UserError("there are no windows to run the model on: choose at least one.")
    return columns[VALUE].n_rows


def _width(part: Activations, name: str) -> int | None:
    return part.value.shape[1] if name == VALUE else None
