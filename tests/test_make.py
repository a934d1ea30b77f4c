"""The script that makes what ships: its command lines are such as the command line takes."""

import runpy
import shlex
from pathlib import Path

from dtinterp.cli.parsing import parsed

MAKE = Path(__file__).parents[1] / "checkpoints" / "make.py"


def test_commands_of_each_kind_are_understood():
    lines = [line for step in runpy.run_path(str(MAKE))["steps"]() for line in step.commands]
    kinds = {}
    for _, command, *words in map(shlex.split, lines):
        if not any("memory-gated-mlp" in word for word in words):  # imported, and so not everywhere
            kinds[command, *(word for word in words if word.startswith("config."))] = command, words
    assert {"certify", "study", "explain-pair"} < {command for command, *_ in kinds}
    assert ("fit-dictionary", "config.fit:pca") in kinds
    for command, words in kinds.values():
        parsed(command, words)
