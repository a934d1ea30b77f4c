"""The commands' own --help becomes docs/commands.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
COMMAND = Path(sys.executable).with_name("dtinterp")
PREAMBLE = """# Commands

Written by `make docs` from the commands themselves; a test compares the two.
"""


def reference() -> str:
    """Return the page: one section a command, in the order in which `dtinterp --help` lists them."""
    sections = [f"\n## `{' '.join(('dtinterp', *words))}`\n\n```text\n{text}\n```\n" for words, text in _walk(())]
    return PREAMBLE + "".join(sections)


def _walk(words: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    text = _help(words)
    listed = re.search(r"\{([\w,-]+)\}", text.splitlines()[0])
    children = listed.group(1).split(",") if listed else []
    return [(words, text), *(found for child in children for found in _walk((*words, child)))]


def _help(words: tuple[str, ...]) -> str:
    plain = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run([COMMAND, *words, "--help"], env=plain, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
