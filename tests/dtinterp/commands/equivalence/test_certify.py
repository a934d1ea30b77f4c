import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dtinterp.agents.storage import load_agent
from dtinterp.cli import main
from dtinterp.commands.equivalence import run_options
from dtinterp.commands.equivalence.certify import certify
from dtinterp.commands.equivalence.run_options import ALONE, CertifyOptions
from dtinterp.equivalence.config import EquivalenceConfig
from dtinterp.equivalence.report import EQUIVALENCE
from dtinterp.foundation.artefacts.artefact import read_artefact
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.model.storage import load_model
from dtinterp.subject.subject import open_subject

ROOT = Path(__file__).parents[4]
PATIENCE = 300
"""Seconds after which a process that should have ended is said to hang."""
FEW: dict[str, Any] = {
    "n_draws": 5,
    "n_quotient_draws": 1,
    "n_plays": 32,
    "n_tested": 16,
    "n_joint": 32,
    "n_searched": 4,
    "n_abstracted": 0,
    "n_wandered": 0,
}
SETTINGS = {"n_frames": 12, "n_contexts": 4, "n_rounds": 1, "n_fresh": 1, "n_verified": 4, **FEW}
SMALL = EquivalenceConfig(n_frames=6, n_contexts=2, **FEW)
PIECES = {"trials.SWAPS_AT_ONCE": 48, "within_class.CONTEXTS_AT_ONCE": 4}
"""Many small pieces of work."""
PROGRAM = f"""
import sys
from dtinterp.cli import main
from dtinterp.equivalence.swaps import trials, within_class

{"; ".join(f"{name} = {size}" for name, size in PIECES.items())}
sys.exit(main())
"""


def _words(folders, out):
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    return ["certify", *settings, *_where(folders), "--out", str(out)]


def _where(folders):
    return ["--model", str(folders.model), "--demonstrations", str(folders.demonstrations)]


def _environment():
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def _process(words):
    """Return the command in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.Popen(command, env=_environment(), stderr=subprocess.PIPE, text=True, cwd=ROOT)


def _run(words):
    """Carry the command out here."""
    with pytest.MonkeyPatch.context() as patch:
        for name, size in PIECES.items():
            patch.setattr(f"dtinterp.equivalence.swaps.{name}", size)
        assert main(words) == 0


def _contents(out):
    """Return all that tells one certificate from another: the bits of its tensors, and what it says."""
    artefact = read_artefact(out, kind="equivalence")
    return artefact.manifest.files["tensors.safetensors"], artefact.manifest.metrics


@pytest.fixture(scope="module")
def whole(folders, tmp_path_factory):
    """The certificate of a call that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "classes"
    _run(_words(folders, out))
    return _contents(out)


def test_classes_rest_on_the_model_and_its_demonstrations(folders, tmp_path):
    config = replace(SMALL, n_abstracted=64)
    artefact = certify(config, tmp_path / "classes", model=folders.model, demonstrations=folders.demonstrations)
    assert load_model(folders.model).artefact.manifest.digest in artefact.manifest.parents.values()
    report = load(tmp_path / "classes", EQUIVALENCE, parent=load_model(folders.model).artefact)
    assert len(report.partition.label) == 6
    assert report.joint is not None
    tried = {each.classes: each.n_histories for each in report.abstraction}
    assert {"interchangeable", "random, of these sizes", "untrained, as many", "reward bisimulation"} <= tried.keys()
    (n_histories,) = set(tried.values())  # of those that test the classes, what shows any of them
    assert 0 < n_histories <= report.joint.arms[0].n_histories
    assert [file.name for file in tmp_path.iterdir()] == ["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on_and_comes_to_the_same_bits(folders, whole, tmp_path, signal_sent):
    out, unfinished = tmp_path / "classes", tmp_path / "classes.unfinished"
    stopped = _process(_words(folders, out))
    while len(list(unfinished.glob("*.safetensors"))) < 3:
        assert stopped.poll() is None
        time.sleep(0.01)
    stopped.send_signal(signal_sent)
    stopped.communicate(timeout=PATIENCE)
    assert not out.exists()
    kept = {file.name: file.stat().st_mtime_ns for file in unfinished.glob("*.safetensors")}
    assert len(kept) >= 3
    with pytest.raises(UserError, match="unfinished work of other settings, another model"):
        certify(EquivalenceConfig(), out, model=folders.model, demonstrations=folders.demonstrations)
    _run(_words(folders, out))
    assert _contents(out) == whole
    assert [file.name for file in tmp_path.iterdir()] == ["classes"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_come_to_the_same_bits(folders, whole, tmp_path):
    out = tmp_path / "classes"
    by_ray = _process([*_words(folders, out), "--ray-address", "local"])
    _, said = by_ray.communicate(timeout=PATIENCE)
    assert by_ray.returncode == 0, said
    assert _contents(out) == whole


def test_an_agent_plays_on_the_classes_and_tables_are_written_where_asked(folders, tmp_path):
    config = replace(SMALL, n_episodes=4, n_rounds=0, n_verified=0, n_joint_rounds=0)
    company = CertifyOptions(tables=tmp_path / "tables", agent=folders.agent)
    folder = {"model": folders.model, "demonstrations": folders.demonstrations}
    written = certify(config, tmp_path / "classes", **folder, run=company)
    assert load_agent(folders.agent).artefact.manifest.digest in written.manifest.parents.values()
    acted = load(tmp_path / "classes", EQUIVALENCE).acted
    assert {each.player for each in acted} == {"model", "agent"}
    tables = sorted(file.stem for file in (tmp_path / "tables").iterdir())
    assert tables == ["classes", "frames", "pairs"]


def test_an_agent_that_is_to_play_no_episodes_is_refused(folders, tmp_path):
    with pytest.raises(UserError, match="is to play, and n_episodes is 0: give --n-episodes, or no --agent"):
        certify(EquivalenceConfig(), tmp_path / "classes", run=CertifyOptions(agent=folders.agent))


def test_a_refused_call_leaves_nothing_that_stands_in_the_way_of_the_next(folders, tmp_path):
    where = {"model": folders.model, "demonstrations": folders.demonstrations}
    config = replace(SMALL, n_rounds=0, n_verified=0, n_joint_rounds=0)
    with pytest.raises(UserError, match="hook_q"):
        certify(replace(config, site="blocks.0.attn.hook_q"), tmp_path / "classes", **where)
    assert list(tmp_path.iterdir()) == []
    certify(config, tmp_path / "classes", **where)


def test_work_of_other_code_is_not_gone_on_with(folders, tmp_path, monkeypatch):
    config, subject = EquivalenceConfig(), open_subject(folders.model, folders.demonstrations)
    ALONE.cache(tmp_path / "classes", subject, config)
    ALONE.cache(tmp_path / "classes", subject, config)
    monkeypatch.setattr(run_options, "__version__", "99")
    with pytest.raises(UserError, match="another version of the code"):
        ALONE.cache(tmp_path / "classes", subject, config)
