import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
import torch
from safetensors.torch import load_file

from dtinterp.demonstrations.storage import save_trajectories
from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.model.storage import load_model
from dtinterp.model.training.descent import COMPILERS
from tests.dtinterp.model.conftest import rows

ROOT = Path(__file__).parents[4]
PATIENCE = 240
"""Seconds after which a process that should have ended is said to hang."""
SETTING = """
import os, signal, sys, torch
from dataclasses import replace
from pathlib import Path
from safetensors.torch import save_file
from dtinterp.dataset.split import split
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.logbook import Logbook
from dtinterp.model import validation
from dtinterp.model.config import ModelConfig, TrainConfig
from dtinterp.model.training.snapshots import CheckpointFolder
from dtinterp.model.training.ranks import joined_ranks
from dtinterp.model.training.train import ModelRecord, train_model
from environments.vocabulary import one_hot

torch.set_num_threads(1)
validation.VALIDATION_WINDOWS = 128
trajectories, parent = load_trajectories(Path("walks"))
sides = split(trajectories, share=0.3, generator=torch.Generator().manual_seed(0))
shape = ModelConfig(d_model=16, n_heads=2, d_mlp=16)
config = TrainConfig(shape, steps=20, batch_size=33, warmup=5, validate_every=4, held_out=0.3, learning_rate=1e-2)
items = one_hot(trajectories.frames)

def require_no_thread_of_a_group():  # one may abort the process at its end; only Linux lists them
    names = [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
    assert not any("gloo" in name for name in names), names
"""
TOGETHER = """
from dtinterp.model.training import train as training

config = replace(config, validate_every=1)
draw, drawn = training._batch, []
def stops_once(trajectories, split, config, step):
    drawn.append(step)
    if drawn.count(9) == 1 and step == 9 and ranks.rank == 1:
        signal.raise_signal(signal.SIGINT)
    return draw(trajectories, split, config, step)

with joined_ranks(torch.device("cpu")) as ranks:
    record = ModelRecord(Logbook(Path(f"rank-{ranks.rank}-of-{ranks.count}.jsonl")))
    model = train_model(trajectories, sides, config, items=items, record=record, ranks=ranks)
    training._batch = stops_once
    record = ModelRecord(resume_file=Path("stopped") if ranks.is_first else None)
    for _ in range(2 if ranks.count > 1 else 0):
        try:
            stopped = train_model(trajectories, sides, config, items=items, record=record, ranks=ranks)
        except KeyboardInterrupt:
            pass
require_no_thread_of_a_group()
save_file(model.state_dict(), f"rank-{ranks.rank}-of-{ranks.count}.safetensors")
if ranks.count > 1:
    assert drawn == list(range(20)), drawn
    save_file(stopped.state_dict(), f"rank-{ranks.rank}-stopped.safetensors")
"""
COMPILED = """
shape = replace(shape, n_layers=1)  # half as much to compile
config = replace(config, model=shape, steps=6, validate_every=3, batch_size=128, warmup=0)
for name, asked in (("plain", config), ("compiled", replace(config, compile=True))):
    model = train_model(trajectories, sides, asked, items=items, record=ModelRecord(Logbook(Path(f"{name}.jsonl"))))
    save_file(model.state_dict(), name)
"""
KILLED = """
def train(folder):
    folder.mkdir(exist_ok=True)
    asked = replace(config, n_checkpoints=4)
    record = ModelRecord(Logbook(folder / "log.jsonl"), folder / "state.safetensors", None, kept := CheckpointFolder(
        folder / "steps", asked, parent))
    kept.require_own()
    save_file(train_model(trajectories, sides, asked, items=items, record=record).state_dict(), folder / "end")

def dies_at(moment):
    left = [moment]
    def hear(event, arguments):
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "shutil.rmtree") and "moment" in str(arguments[0]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hear)

train(Path("whole"))
for moment in range(5, 1000, 9):
    if (child := os.fork()) == 0:
        dies_at(moment)
        train(Path(f"moment-{moment}"))
        os._exit(0)
    if os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 0 and (Path(f"moment-{moment}") / "end").exists():
        break
    train(Path(f"moment-{moment}"))
print(moment)
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory, trajectories):
    """A folder with the demonstrations, for programs that train in it."""
    folder = tmp_path_factory.mktemp("ground")
    agent = write_artefact(folder / "agent", Content("agent", {}, {}, {}), parents=(), seed=0)
    save_trajectories(folder / "walks", trajectories, parent=agent, seed=0)
    return folder


def carried_out(program, ground, *launcher):
    """What a program prints that trains in a process of its own."""
    (ground / "program.py").write_text(SETTING + program)
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, *launcher, "program.py"]
    ended = subprocess.run(
        command, cwd=ground, env=paths, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_two_processes_of_torchrun_train_as_one_does_with_the_same_batches(ground):
    carried_out(TOGETHER, ground)
    carried_out(TOGETHER, ground, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    alone, both = rows(ground / "rank-0-of-1.jsonl"), rows(ground / "rank-0-of-2.jsonl")
    assert alone[-1]["loss"] < alone[0]["loss"] - 0.05
    assert [row["step"] for row in both] == [row["step"] for row in alone] == list(range(1, 21))
    for measured in ("train_loss", "loss"):  # float32: the sums over a batch are taken in another order
        assert [row[measured] for row in both] == pytest.approx([row[measured] for row in alone], abs=1e-5)
    assert not (ground / "rank-1-of-2.jsonl").exists()
    first, second = (load_file(ground / f"rank-{rank}-of-2.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    for rank in (0, 1):  # a training that two processes went on with after a Ctrl-C at one of them
        ended = load_file(ground / f"rank-{rank}-stopped.safetensors")
        assert all(torch.equal(ended[name], first[name]) for name in first)


@pytest.mark.slow
def test_a_training_killed_at_any_moment_goes_on_to_the_same_bits(ground):
    last = int(carried_out(KILLED, ground))
    moments = [ground / f"moment-{moment}" for moment in range(5, last, 9)]
    assert len(moments) > 8
    whole = load_file(ground / "whole" / "end")
    kept = sorted(path.name for path in (ground / "whole" / "steps").iterdir())
    for folder in moments:
        ended = load_file(folder / "end")
        assert all(torch.equal(ended[name], weight) for name, weight in whole.items()), folder
        assert rows(folder / "log.jsonl") == rows(ground / "whole" / "log.jsonl"), folder
        assert sorted(path.name for path in (folder / "steps").glob("[!.]*")) == kept, folder
        for name in kept:
            same = [load_model(path / "steps" / name).artefact.manifest for path in (folder, ground / "whole")]
            assert same[0].digest == same[1].digest, (folder, name)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(which, COMPILERS)), reason="no C++ compiler, which torch.compile wants")
def test_a_compiled_training_goes_as_any_other(ground):
    """In a process of its own, since what checks types in tests cannot be compiled."""
    carried_out(COMPILED, ground)
    plain, compiled = rows(ground / "plain.jsonl"), rows(ground / "compiled.jsonl")
    assert plain[-1]["train_loss"] < plain[0]["train_loss"] - 0.03
    assert [row["loss"] for row in compiled] == pytest.approx([row["loss"] for row in plain], abs=1e-4)
    assert load_file(ground / "compiled").keys() == load_file(ground / "plain").keys()
