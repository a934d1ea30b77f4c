"""The notebooks, executed where they stand: `python docs/notebooks.py`, part of `make docs`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

PROGRESS = "stderr"
"""The stream that progress is written to; a page needs none of it."""
NOTEBOOKS = sorted((Path(__file__).parent / "notebooks").glob("*.ipynb"))


def executed(file: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs that its cells have now. Raises CellExecutionError where one fails."""
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(file.parent)}},
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    for cell in notebook.cells:
        cell.get("metadata", {}).clear()
        if "outputs" in cell:
            cell.outputs = [each for each in cell.outputs if each.get("name") != PROGRESS]
    return notebook


if __name__ == "__main__":
    for each in NOTEBOOKS:
        nbformat.write(executed(each), each)
