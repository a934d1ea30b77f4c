"""The command line: words become calls; the only package that prints."""

from dtinterp.cli.commands import COMMANDS
from dtinterp.cli.entry import INTERRUPTED, main

__all__ = ["COMMANDS", "INTERRUPTED", "main"]
