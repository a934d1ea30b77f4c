"""Long work becomes files, one a piece, so that an interrupted run goes on where it stopped."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from dtinterp.foundation.artefact import JSON
from dtinterp.foundation.errors import UserError

IDENTITY = "identity.json"


@dataclass(frozen=True)
class Ledger:
    """Pieces of work by name; without a folder nothing is kept."""

    folder: Path | None = None

    def kept(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return the piece of this name, computed only where it is not kept yet."""
        if self.folder is None:
            return compute()
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            draft = file.with_suffix(".draft")
            save_file({"piece": compute().contiguous()}, draft)
            draft.replace(file)
        return load_file(file)["piece"]

    def close(self) -> None:
        """Remove the pieces; call it once the result is written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def open_ledger(folder: Path, identity: Mapping[str, JSON]) -> Ledger:
    """Return the ledger in `folder`, begun or gone on with.

    Raises `UserError` where the folder is of other work.
    """
    file, ours = folder / IDENTITY, json.dumps(dict(identity), indent=1, sort_keys=True, default=str)
    if file.exists() and file.read_text(encoding="utf-8") != ours:
        raise UserError(
            f"{folder} is the unfinished work of other settings or another model: ask for the same again to go on, or "
            "remove the folder to begin anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(ours, encoding="utf-8")
    return Ledger(folder)
