"""Certificates that ship, held against each other: what one joins, no other of the same policy may tell apart."""

import json
from pathlib import Path

import pytest
import torch

from dtinterp.equivalence.comparisons.partition_comparison import judge_pairs
from dtinterp.equivalence.report import EQUIVALENCE, EquivalenceReport
from dtinterp.foundation.artefacts.codec import load

STUDIES = sorted(path.parent for path in Path("checkpoints").glob("*/*/equivalence"))


@pytest.fixture(params=STUDIES, ids=lambda path: path.name)
def study(request: pytest.FixtureRequest) -> Path:
    return request.param


def _n_told_apart(joining: EquivalenceReport, judging: EquivalenceReport) -> int:
    return judge_pairs(("joining", joining), ("judging", judging), n_shown=0).n_told_apart


def test_what_the_classes_of_own_play_join_no_play_of_three_steps_tells_apart(study: Path) -> None:
    own, plays = (load(study / name, EQUIVALENCE) for name in ("equivalence", "plays"))
    assert own.config.asks == plays.config.asks == "asked for 0.892"
    assert _n_told_apart(own, plays) == 0
    assert _n_told_apart(plays, plays) == 0
    one = torch.zeros(len(own.partition.label), dtype=torch.int64)
    merged = own.partition.__class__(one, "all in one")
    assert _n_told_apart(own.__class__(**{**vars(own), "partition": merged}), plays) > 0


def test_own_play_names_the_plays_that_it_refines(study: Path) -> None:
    manifest = json.loads((study / "equivalence" / "manifest.json").read_text(encoding="utf-8"))
    plays = json.loads((study / "plays" / "manifest.json").read_text(encoding="utf-8"))
    assert plays["digest"] in manifest["parents"].values()


def test_fresh_histories_go_beyond_epsilon_in_at_most_one_of_a_hundred_however_members_are_chosen(study: Path) -> None:
    report = load(study / "equivalence", EQUIVALENCE)
    assert report.joint is not None
    *own, random = report.joint.arms
    assert max(arm.beyond.high for arm in own) < 0.01 < random.beyond.low
