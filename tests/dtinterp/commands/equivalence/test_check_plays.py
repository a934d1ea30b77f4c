"""The command that shows classes as one in all plays: what it reads, writes, refuses, and that it goes on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.check_plays import check_plays
from dtinterp.commands.equivalence.run_options import PlaysOptions
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.plays.joint import CLASSES, JOINT, REPRESENTATIVE, CheckPlaysConfig
from dtinterp.foundation.artefacts.codec import load, read
from dtinterp.foundation.errors import UserError
from dtinterp.model.network import history_logits
from environments.registration import WorldError

CONFIG = CheckPlaysConfig(horizon=1, n_draws=1, n_representatives=1, n_searched=5)


@pytest.fixture(scope="module")
def read_from(folders, tmp_path_factory):
    classes, subject = (
        tmp_path_factory.mktemp("classes") / "few",
        {"model": folders.model, "demonstrations": folders.demonstrations},
    )
    few = EquivalenceConfig(
        n_frames=8,
        n_contexts=1,
        n_draws=2,
        n_quotient_draws=1,
        n_rounds=0,
        n_verified=0,
        n_joint_rounds=0,
        n_wandered=0,
        n_plays=32,
        n_tested=16,
    )
    certify(few, classes, **subject)
    return {"equivalence": classes, **subject}


@pytest.fixture(scope="module")
def whole(read_from, tmp_path_factory):
    """What a call that nothing interrupted wrote, with tables."""
    folder = tmp_path_factory.mktemp("whole")
    options = PlaysOptions(tables=folder / "tables", rivals=(read_from["equivalence"],))
    check_plays(CONFIG, folder / "plays", run=options, **read_from)
    return folder


def test_classes_are_checked_and_what_was_read_is_recorded(whole):
    found, artefact = read(whole / "plays", JOINT)
    assert found.n_histories == 16
    assert {label.split("/")[0] for label in artefact.manifest.parents} == {"model", "demonstrations", "equivalence"}
    name = "of contexts of its own play after 0 to 12 random actions, asked for 0.892"
    own, rival = (found.arm(each, REPRESENTATIVE) for each in (CLASSES, name))
    assert rival == replace(own, partition=name)
    assert sorted(file.name for file in whole.iterdir()) == ["plays", "tables"]
    table = pd.read_parquet(whole / "tables" / "plays.parquet")
    assert len(table) == len(found.arms)
    assert int(np.isfinite(table["return"]).sum()) == sum(len(arm.returns) for arm in found.arms)


def test_an_interrupted_call_goes_on(read_from, whole, tmp_path, monkeypatch):
    out, options = tmp_path / "plays", PlaysOptions(rivals=(read_from["equivalence"],))
    followed, calls = history_logits._followed, []

    def killed(asked, tree):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return followed(asked, tree)

    monkeypatch.setattr(history_logits, "_followed", killed)
    with pytest.raises(KeyboardInterrupt):
        check_plays(CONFIG, out, run=options, **read_from)
    monkeypatch.setattr(history_logits, "_followed", lambda *given: calls.append(1) or followed(*given))
    check_plays(CONFIG, out, run=options, **read_from)
    assert load(out, JOINT) == load(whole / "plays", JOINT)
    assert len(calls) == 9  # of nine trees one stood already


def test_rivals_that_would_have_one_name_are_refused(read_from, tmp_path):
    twice = PlaysOptions(rivals=(read_from["equivalence"],) * 2)
    with pytest.raises(UserError, match="two rivals are of the same histories"):
        check_plays(CONFIG, tmp_path / "plays", run=twice, **read_from)


def test_plays_that_do_not_fit_and_what_is_no_certificate_is_refused(read_from, tmp_path):
    with pytest.raises(WorldError, match="the largest that fits is 8"):
        check_plays(CheckPlaysConfig(horizon=40, actions="all"), tmp_path / "plays", **read_from)
    with pytest.raises(UserError, match="is of kind demonstrations"):
        check_plays(CONFIG, tmp_path / "plays", **(read_from | {"equivalence": read_from["demonstrations"]}))
    assert not list(tmp_path.iterdir())
