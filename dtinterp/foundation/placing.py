"""Where a folder stands while another one takes its place."""

import shutil
from pathlib import Path

from dtinterp.foundation.writing import sync


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
    shutil.rmtree(retired, ignore_errors=True)


def return_retired(path: Path) -> None:
    """Give an old folder its place back where a replacement came to nothing between its two renames."""
    retired = _retired(path)
    if retired.exists() and not path.exists():
        retired.rename(path)


def _retired(path: Path) -> Path:
    return path.parent / f".{path.name}.retired"


def standing(path: Path) -> Path:
    """Return where the artefact of this name stands: aside, where its replacement was killed between two renames."""
    return _retired(path) if _retired(path).exists() and not path.exists() else path
