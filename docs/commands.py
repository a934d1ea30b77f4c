"""The reference of all commands, docs/commands.md, from their own --help."""

import os
from pathlib import Path

from dtinterp.cli.commands import COMMANDS, overview
from dtinterp.cli.light_imports import light_imports
from dtinterp.cli.parsing import help_of

PAGE = Path(__file__).with_suffix(".md")
PREAMBLE = """# Commands

Written by `make docs` from the commands themselves; a test compares the two.
"""


def reference() -> str:
    """Return the page: the list of commands, then one section a command in the same order."""
    os.environ["COLUMNS"] = "100"
    with light_imports():
        told = {"dtinterp": overview()} | {f"dtinterp {name}": help_of(name) for name in COMMANDS}
    return PREAMBLE + "".join(_section(words, text) for words, text in told.items())


def _section(words: str, text: str) -> str:
    shown = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"\n## `{words}`\n\n```text\n{shown}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
