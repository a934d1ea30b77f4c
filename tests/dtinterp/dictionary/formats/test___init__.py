"""A format that is dropped in as one file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dtinterp.model.storage import load_model

ROOT = Path(__file__).parents[4]
MODEL = ROOT / "checkpoints/models/memory-dt-small-0"
TOY = '''
"""Autoencoders as lines of numbers."""

import torch

from dtinterp.dictionary.formats.weights import dictionary_of
from dtinterp.dictionary.kinds.autoencoders.topk import TopK

NAME, FILES = "Toy", "toy.txt"


def recognises(folder):
    return (folder / FILES).is_file()


def read(folder):
    W_dec = torch.tensor([[float(each) for each in line.split()] for line in open(folder / FILES)])
    zeros = torch.zeros_like
    parts = {"W_enc": W_dec.T, "b_enc": zeros(W_dec[:, 0]), "W_dec": W_dec, "b_dec": zeros(W_dec[0])}
    return dictionary_of(parts, TopK(1), site="hook_obs_embed", name="toy")
'''


@pytest.mark.slow
def test_a_format_in_a_file_of_its_own_is_imported_by_the_command(tmp_path: Path) -> None:
    for package in ("dtinterp", "environments"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dtinterp/dictionary/formats/toy.py").write_text(TOY, encoding="utf-8")
    (tmp_path / "toy.txt").write_text(" ".join(["1"] * load_model(MODEL).model.cfg.d_model), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "dtinterp.cli", "import-dictionary", ".", "--model", str(MODEL), "--out", "imported"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"name": "toy"' in (tmp_path / "imported/config.json").read_text(encoding="utf-8")
