"""Extracting a machine from folder to folder, in a small study."""

import pytest

from dtinterp.commands.equivalence.extract_machine import extract_machine
from dtinterp.commands.equivalence.run_options import MachineOptions
from dtinterp.equivalence.machines.report import MACHINE, MachineConfig
from dtinterp.foundation.artefacts.codec import load
from dtinterp.foundation.errors import UserError
from dtinterp.subject.subject import Subject

CONFIG = MachineConfig(horizon=2, n_longer=1, n_orders=1, n_plays=2, n_steps=2, n_relabelled=1, relabelled_horizon=2)


def test_a_machine_is_written_and_drawn_with_classes_beside_it(small_study, tmp_path):
    classes = small_study / "equivalence" / "novice"
    run = MachineOptions(tables=tmp_path / "tables", equivalence=classes)
    extract_machine(CONFIG, tmp_path / "machine", model=small_study / "models" / "novice", run=run)
    found = load(tmp_path / "machine", MACHINE)
    assert found.certificate is not None
    assert found.certificate.source == classes.name
    page = (tmp_path / "machine.html").read_text(encoding="utf-8")
    assert page.count("<circle cx") >= found.n_states
    assert (tmp_path / "tables" / "machine-sizes.parquet").exists()
    assert not (tmp_path / "machine.unfinished").exists()


def test_a_world_without_a_graph_is_refused(small_study, tmp_path, monkeypatch):
    monkeypatch.setattr(Subject, "graph", None)
    with pytest.raises(UserError, match=r"the states of .* cannot be enumerated: give a model of one of the Memory"):
        extract_machine(CONFIG, tmp_path / "machine", model=small_study / "models" / "novice")
