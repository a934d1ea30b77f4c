"""A kind that is dropped in as one file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
TOY = '''
"""Unit directions of the first rows."""

from dataclasses import dataclass

from dtinterp.dictionary.kinds.computed import ComputedKind, directed


@dataclass(frozen=True)
class Toy(ComputedKind):
    """Unit directions of the first rows."""

    n: int = 3
    """how many"""

    def n_features(self, width):
        return self.n

    def title(self, width):
        return f"toy-{self.n}"

    def compute(self, batch, *, width, generator):
        return directed(batch, batch.rows[: self.n])
'''
USED = """
from pathlib import Path

import torch, tyro

from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig
from dtinterp.dictionary.fit import fit
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.artefacts.codec import save
from dtinterp.report.figures.dictionaries import _kind
from dtinterp.report.results import ScoredDictionary

config = tyro.cli(DictionaryConfig, args=["fit.kind:toy", "--fit.kind.n", "2"])
found = fit(torch.randn(9, 5), config.fit, generator=torch.Generator(), site="here")
save(Path("toy"), found, parents=(), seed=0)
read = load_dictionary(Path("toy"))
print(read.name, read.width, _kind(ScoredDictionary(read, None)))
"""


@pytest.mark.slow
def test_a_kind_in_a_file_of_its_own_is_on_the_command_line_on_disk_and_in_the_report(tmp_path: Path) -> None:
    for package in ("dtinterp", "environments"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dtinterp/dictionary/kinds/baselines/toy.py").write_text(TOY, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", USED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["toy-2", "2", "Toy"]
