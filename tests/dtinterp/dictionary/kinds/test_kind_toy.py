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

import numpy, torch, tyro

from app.catalogue import _load_dictionary
from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig
from dtinterp.dictionary.evaluation.score import score
from dtinterp.dictionary.fit import fit
from dtinterp.foundation.artefacts.codec import save
from dtinterp.report.figures.dictionaries import dictionary_figure
from dtinterp.report.results import ScoredDictionary
from dtinterp.report.tables import dictionary_table

config = tyro.cli(DictionaryConfig, args=["fit.kind:toy", "--fit.kind.n", "2"])
rows = torch.randn(9, 5)
found = fit(rows, config.fit, generator=torch.Generator(), site="here")
card = score(
    found,
    rows,
    target_action=torch.zeros(9, dtype=torch.int64),
    logits_with=lambda edit: rows if edit is None else edit(rows),
    generator=numpy.random.default_rng(0),
)
save(Path("toy"), found, parents=(), seed=0)
read, verdict = _load_dictionary(Path("toy"))
table = dictionary_table([ScoredDictionary(read, card)])
print(read.width, table["dictionary"][0], dictionary_figure(table).data[0].name, verdict[:6])
"""


@pytest.mark.slow
def test_a_kind_in_a_file_of_its_own_is_on_the_command_line_in_the_report_and_in_the_app(tmp_path: Path) -> None:
    for package in ("app", "dtinterp", "environments"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dtinterp/dictionary/kinds/baselines/toy.py").write_text(TOY, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", USED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 toy-2 Toy at here ")
