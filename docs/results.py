"""The tables of docs/results/, made of what ships and written into their pages.

    python docs/results.py [PAGE ...]

A page holds its own prose; between `<!-- module.function -->` and `<!-- end -->` stand the docstring and the table of a
function of docs/tables/.
"""

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

from tables.cells import markdown

FOLDER = Path(__file__).parent / "results"
TABLE = re.compile(r"<!-- (\w+)\.(\w+) -->\n.*?<!-- end -->\n", re.DOTALL)


def page(name: str) -> str:
    """Return a page with its tables made anew."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert len(TABLE.findall(text)) == text.count("<!-- end -->"), f"{name}.md: a table names no module.function"
    return TABLE.sub(lambda found: _table(found[1], found[2]), text)


def _table(module: str, name: str) -> str:
    function = getattr(import_module(f"tables.{module}"), name)
    return f"<!-- {module}.{name} -->\n{inspect.getdoc(function)}\n\n{markdown(function())}<!-- end -->\n"


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.md")):
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")
