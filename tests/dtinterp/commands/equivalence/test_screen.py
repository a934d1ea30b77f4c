import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dtinterp.cli import main
from dtinterp.commands.equivalence.run_options import RunOptions
from dtinterp.commands.equivalence.screen import screen
from dtinterp.equivalence.screen import SCREENING, ScreenConfig
from dtinterp.equivalence.swaps import within_class
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.subject import subject as subjects
from environments.graph.state_graph import state_graph

ROOT = Path(__file__).parents[4]
PATIENCE = 300
"""Seconds after which a process that should have ended is said to hang."""
CONFIG = ScreenConfig(n_frames=20, n_probes=3, n_verified=10, n_draws=5, n_quotient_draws=1)
WORDS = ["--n-frames", "20", "--n-probes", "3", "--n-verified", "10", "--n-draws", "5", "--n-quotient-draws", "1"]
PROGRAM = """
import sys
from dtinterp.cli import main
from dtinterp.equivalence.swaps import within_class

within_class.CONTEXTS_AT_ONCE = 2  # many small pieces
sys.exit(main())
"""


def test_many_observations_are_sorted_and_nothing_unfinished_is_left(folders, tmp_path):
    out, options = tmp_path / "screening", RunOptions(tables=tmp_path / "tables")
    screen(CONFIG, out, model=folders.model, demonstrations=folders.demonstrations, run=options)
    found = load(out, SCREENING)
    assert len(found.partition.label) == len(found.chosen.frame_id) == len(found.frames) <= 20
    assert found.standing is not None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["screening", "tables"]
    table = pd.read_parquet(tmp_path / "tables" / "screening.parquet")
    assert table["class"].tolist() == found.partition.label.tolist()


def test_tours_of_the_world_show_all_that_it_has(folders, tmp_path):
    config = replace(CONFIG, n_frames=1000, contexts="world", n_tours=2, n_rounds=1, n_mates=2)
    screen(config, tmp_path / "screening", model=folders.model, demonstrations=folders.demonstrations)
    found = load(tmp_path / "screening", SCREENING)
    frames = {frame.tobytes() for frame in found.frames.numpy()}
    assert frames == {frame.tobytes() for frame in state_graph(found.env_id).frames}


def _words(folders, out):
    where = ["--model", folders.model, "--demonstrations", folders.demonstrations, "--out", out]
    return ["screen", *WORDS, *map(str, where)]


def _environment():
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def _process(words):
    """Return the command in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *words], env=_environment(), stderr=subprocess.PIPE)


def _run(words):
    """Carry the command out here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(within_class, "CONTEXTS_AT_ONCE", 2)
        assert main(words) == 0


def _contents(out):
    artefact = read_artefact(out, kind="screening")
    return artefact.manifest.files["tensors.safetensors"], artefact.manifest.metrics


@pytest.fixture(scope="module")
def whole(folders, tmp_path_factory):
    """The screening of a call that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "screening"
    _run(_words(folders, out))
    return _contents(out)


@pytest.mark.slow
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on_and_comes_to_the_same_bits(folders, whole, tmp_path, signal_sent):
    out, unfinished = tmp_path / "screening", tmp_path / "screening.unfinished"
    stopped = _process(_words(folders, out))
    while not list(unfinished.glob("round-0-*.safetensors")):  # beyond the probes, in the midst of a round
        assert stopped.poll() is None
        time.sleep(0.01)
    stopped.send_signal(signal_sent)
    stopped.communicate(timeout=PATIENCE)
    assert not out.exists()
    kept = {file.name for file in unfinished.glob("*.safetensors")}
    assert any(name.startswith("probe-") for name in kept)
    with pytest.raises(UserError, match="unfinished work of other settings"):
        screen(ScreenConfig(), out, model=folders.model, demonstrations=folders.demonstrations)
    assert {file.name for file in unfinished.glob("*.safetensors")} == kept
    _run(_words(folders, out))
    assert _contents(out) == whole
    assert [file.name for file in tmp_path.iterdir()] == ["screening"]


def test_a_refused_call_leaves_nothing_that_stands_in_the_way_of_the_next(folders, tmp_path, monkeypatch):
    where = {"model": folders.model, "demonstrations": folders.demonstrations}
    monkeypatch.setattr(subjects, "SUPPORTED_IDS", ())
    with pytest.raises(UserError, match="cannot be enumerated: give held-out"):
        screen(replace(CONFIG, contexts="world"), tmp_path / "screening", **where)
    assert list(tmp_path.iterdir()) == []
    screen(CONFIG, tmp_path / "screening", **where)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_come_to_the_same_bits(folders, whole, tmp_path):
    out = tmp_path / "screening"
    by_ray = _process([*_words(folders, out), "--ray-address", "local"])
    _, said = by_ray.communicate(timeout=PATIENCE)
    assert by_ray.returncode == 0, said
    assert _contents(out) == whole
