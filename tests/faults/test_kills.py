"""Commands that were killed at any point go on by the same command, come to the same result and leave nothing behind.

`DTINTERP_KILLS=all` kills each command before every operation on a file that it makes; by default a few are drawn.
"""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dtinterp.commands.data.collect import CollectConfig, collect
from dtinterp.commands.dictionaries.fit_dictionary import DictionaryConfig, fit_dictionary
from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.features.describe import describe
from dtinterp.commands.models.train_model import train_model
from dtinterp.dictionary.config import FitConfig
from dtinterp.dictionary.kinds.autoencoders.topk import TopK
from dtinterp.dictionary.variations import Variations
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.features.describe import DescribeConfig
from dtinterp.foundation.artefacts.artefact import Artefact, label_at, read_artefact
from dtinterp.interventions.replacements.scoring import Judging
from dtinterp.interventions.returns.model_returns import ActingConfig
from dtinterp.model.config import ModelConfig, TrainConfig
from tests.faults.killing import kill_at, n_operations

N_KILLS = os.environ.get("DTINTERP_KILLS", "")
"""Kills of each command, or all; empty for `FEW`."""
FEW, FEW_SLOW, SLOW = 4, 1, ("fit-dictionary", "fit-dictionary of a stack", "certify")
Command = Callable[[Path, Path], Any]

SMALL = TrainConfig(
    model=ModelConfig(d_model=16, n_layers=1, n_heads=2, d_mlp=16),
    steps=6,
    batch_size=16,
    validate_every=2,
    held_out=0.3,
)
FIT = DictionaryConfig(
    fit=FitConfig(TopK(4), width=32, n_steps=20),
    n_windows=32,
    n_held_out_windows=32,
    judging=Judging(ActingConfig(n_episodes=2)),
)
STACK = replace(FIT, vary=Variations(k=(2, 4)))


def _subject(root: Path) -> dict[str, Any]:
    return {"model": root / "models" / "novice", "demonstrations": root / "demonstrations" / "walks"}


COMMANDS: dict[str, Command] = {
    "collect": lambda root, out: collect(
        CollectConfig(sampler=("temperature=1:300",), n_worlds=4), root / "agents" / "wanderer", out
    ),
    "train-model": lambda root, out: train_model(
        SMALL, root / "demonstrations" / "walks", out, probe_returns=(), n_calibration_episodes=0
    ),
    "fit-dictionary": lambda root, out: fit_dictionary(FIT, out, **_subject(root)),
    "fit-dictionary of a stack": lambda root, out: fit_dictionary(STACK, out, **_subject(root)),
    "describe": lambda root, out: describe(
        DescribeConfig(n_windows=32), root / "dictionaries" / "topk-512-k4", out, **_subject(root)
    ),
    "certify": lambda root, out: certify(
        EquivalenceConfig(
            n_frames=6,
            n_contexts=2,
            n_draws=10,
            n_quotient_draws=1,
            n_rounds=1,
            n_plays=32,
            n_tested=16,
            n_joint=32,
            n_searched=4,
            n_abstracted=0,
            n_wandered=0,
        ),
        out,
        **_subject(root),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_goes_on_by_the_same_command(small_study, tmp_path, name):
    command = COMMANDS[name]
    whole, first = tmp_path / "whole" / "out", tmp_path / "counted" / "out"
    command(small_study, whole)
    n = n_operations(lambda: command(small_study, first), first.parent)
    assert _contents(first) == _contents(whole), "the command itself is not reproducible"
    for operation in _drawn(n, FEW_SLOW if name in SLOW else FEW):
        out = tmp_path / f"killed-{operation}" / "out"
        kill_at(lambda out=out: command(small_study, out), out.parent, operation)
        command(small_study, out)
        assert _contents(out) == _contents(whole), f"killed before operation {operation} of {n}"
        assert _names(out.parent) == _names(whole.parent), f"killed before operation {operation} of {n}"


@pytest.mark.slow
def test_a_killed_replacement_leaves_the_old_or_the_new_and_never_neither(small_study, tmp_path):
    command = COMMANDS["describe"]
    old, new = tmp_path / "old" / "out", tmp_path / "new" / "out"

    def anew(out: Path) -> Artefact:
        config = DescribeConfig(n_windows=32, seed=1)
        return describe(
            config, small_study / "dictionaries" / "topk-512-k4", out, replace=True, **_subject(small_study)
        )

    command(small_study, old)
    anew(new)
    command(small_study, tmp_path / "counted" / "out")
    n = n_operations(lambda: anew(tmp_path / "counted" / "out"), tmp_path / "counted")
    for operation in _drawn(n, FEW):
        out = tmp_path / f"killed-{operation}" / "out"
        command(small_study, out)
        kill_at(lambda out=out: anew(out), out.parent, operation)
        assert _contents(out) in (_contents(old), _contents(new)), f"killed before operation {operation} of {n}"
        anew(out)
        assert _contents(out) == _contents(new)
        assert _names(out.parent) == _names(new.parent)


def _drawn(n: int, few: int) -> list[int]:
    """Return the operations before which a command of n is killed: all, or one of each equal stretch of them."""
    wanted = n if N_KILLS == "all" else min(n, int(N_KILLS or few))
    bounds = [round(part * n / wanted) for part in range(wanted + 1)]
    rng = random.Random(n)
    return [rng.randrange(low, high) for low, high in pairwise(bounds)]


def _contents(out: Path) -> dict[str, Any]:
    """Return what the artefacts at `out` hold, but for their metrics: seconds differ from run to run."""
    folders = [manifest.parent for manifest in sorted(out.rglob("manifest.json"))]
    if label_at(out):
        folders = [out]  # also where it stands aside, because its replacement was killed between two renames
    return {str(folder.relative_to(out)): _content(folder) for folder in folders}


def _content(folder: Path) -> tuple[Any, ...]:
    label = label_at(folder)
    assert label is not None
    artefact = read_artefact(folder, kind=label.kind)
    tensors = {name: hash(tensor.numpy().tobytes()) for name, tensor in artefact.tensors.items()}
    return artefact.config, tensors, artefact.manifest.parents


def _names(folder: Path) -> list[str]:
    """Return the paths of everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
