"""Where a folder stands while another one takes its place."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dtinterp.foundation.artefacts.writing import sync

ASIDE = ".retired"
"""How the hidden name ends under which an artefact waits until the one that replaces it has its place."""


def put_in_place(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`; an old folder stands aside until the new one has its place."""
    draft.chmod(0o755)
    retired = _retired(path)
    if path.exists():
        shutil.rmtree(retired, ignore_errors=True)  # left where a replacement was interrupted at its very end
        path.rename(retired)
    try:
        draft.rename(path)
    finally:
        return_retired(path)
    sync(path.parent)
    remove_retired(path)


def return_retired(path: Path) -> None:
    """Give an old folder its place back where a replacement came to nothing between its two renames."""
    retired = _retired(path)
    if retired.exists() and not path.exists():
        retired.rename(path)


def remove_retired(path: Path) -> None:
    """Remove an old folder whose place is taken; call it while `path` is locked."""
    if path.exists():
        shutil.rmtree(_retired(path), ignore_errors=True)


def _retired(path: Path) -> Path:
    return path.parent / f".{path.name}{ASIDE}"


def standing(path: Path) -> Path:
    """Return where the artefact of this name stands: aside, where its replacement was killed between two renames."""
    return _retired(path) if _retired(path).exists() and not path.exists() else path


def standing_names(names: Sequence[str]) -> set[str]:
    """Return what the artefacts among the names in one folder are called, also those that stand aside."""
    aside = (name.removesuffix(ASIDE)[1:] for name in names if name.startswith(".") and name.endswith(ASIDE))
    return {name for name in (*names, *aside) if name and not name.startswith(".")}
