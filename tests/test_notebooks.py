import runpy
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
BOOKS = runpy.run_path(str(ROOT / "docs" / "notebooks.py"))


@pytest.mark.slow
@pytest.mark.parametrize("file", BOOKS["NOTEBOOKS"], ids=lambda file: file.stem)
def test_a_notebook_runs_and_shows_as_much_as_the_one_that_ships(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shipped, found = nbformat.read(file, as_version=4), BOOKS["executed"](file)
    shown = [[len(cell.get("outputs", [])) for cell in notebook.cells] for notebook in (shipped, found)]
    assert shown[0] == shown[1]
    assert sum(shown[0]) > 0
