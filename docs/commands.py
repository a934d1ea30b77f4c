"""The reference of all commands, docs/commands.md, from their own --help."""

import os
import subprocess
import sys
from pathlib import Path

from dtinterp.cli import COMMANDS

PAGE = Path(__file__).with_suffix(".md")
DTINTERP = Path(sys.executable).with_name("dtinterp")
PREAMBLE = """# Commands

Written by `make docs` from the commands themselves; a test compares the two.
"""


def reference() -> str:
    """Return the page: the list of commands, then one section a command in the same order."""
    sections = [_section(())] + [_section(tuple(name.split())) for name in COMMANDS]
    return PREAMBLE + "".join(sections)


def _section(words: tuple[str, ...]) -> str:
    return f"\n## `{' '.join(('dtinterp', *words))}`\n\n```text\n{_help(words)}\n```\n"


def _help(words: tuple[str, ...]) -> str:
    plain = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run([DTINTERP, *words, "--help"], env=plain, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
