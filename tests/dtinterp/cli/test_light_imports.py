import subprocess
import sys

PROGRAM = """
import sys
from dtinterp.cli.light_imports import light_imports
from dtinterp.cli.parsing import help_of
with light_imports():
    light = help_of("certify")
assert not {"torch", "dtinterp.commands.equivalence.certify"} & set(sys.modules), "something outlived the block"
assert help_of("certify") == light, "help differs"
import torch
assert torch.ones(2).sum() == 2
with light_imports():
    import scipy.stats
assert scipy.stats.norm.cdf(0) == 0.5, "what is here already is not left out"
"""


def test_help_read_without_heavy_libraries_is_the_same_and_leaves_nothing_behind():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
