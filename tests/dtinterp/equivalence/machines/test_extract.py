"""A report from end to end, in the smallest world."""

from dataclasses import replace

import pytest
import torch

from dtinterp.equivalence.machines.extract import RELABELLED, Extraction, asked_name
from dtinterp.equivalence.machines.report import MACHINE, MachineConfig
from dtinterp.foundation.artefacts.codec import read, save
from dtinterp.foundation.errors import UserError

CONFIG = MachineConfig(
    horizon=3, n_longer=1, n_orders=1, n_plays=4, n_steps=4, also_asked=(), n_relabelled=1, relabelled_horizon=2
)


@pytest.fixture(scope="module")
def report(left_at_the_fork, model, graph):
    return Extraction(left_at_the_fork, model, graph, CONFIG).report()


def test_a_reflex_has_a_state_for_each_of_its_actions(report):
    """It goes forward, and at the fork left; no play of three moves leads to a fork that is four steps away."""
    assert report.n_states == report.at_least == 1
    assert report.machine.output.tolist() == [2]


def test_it_is_tested_on_longer_plays_and_loses_no_return_that_it_does_not_need(report):
    learned, longer, *drawn = report.tests
    assert learned.decisions.estimate == 1
    assert longer.name == "all plays of 4 actions"
    assert longer.decisions.estimate < 1  # the fork
    assert [each.name for each in drawn] == [
        "random plays, within the window",
        "the model's plays at temperature 1, within the window",
    ]


def test_sizes_stand_beside_those_of_controls(report):
    own = report.sizes_of(asked_name("model", 0.892))
    assert [each.horizon for each in own] == [1, 2, 3]
    assert [each.n_states for each in own] == [1, 1, 1]
    (control,) = report.sizes_of(RELABELLED)
    assert control.horizon == 2


def test_its_own_play_is_a_walk_ahead(report):
    machine = report.machine
    assert report.is_own.any()
    assert (machine.action[report.is_own] == 2).all()


def test_a_report_is_written_and_read_back(report, tmp_path):
    save(tmp_path / "machine", report, seed=0)
    again, artefact = read(tmp_path / "machine", MACHINE)
    assert artefact.manifest.metrics["n_states"] == 1
    assert again.tests == report.tests
    assert again.finer == report.finer
    assert again.sizes == report.sizes
    assert again.machine.target.equal(report.machine.target)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"horizon": 30}, r"more than most_histories, 130,000: the longest that fits is \d+; give a shorter --horizon"),
        ({"horizon": 3, "most_histories": 2}, r"none fits; give a shorter --horizon, or allow more"),
        ({"target_return": 0.95}, r"no play of .* returns more than 0\.\d+ or less than 0: ask for a return from 0"),
        ({"also_asked": (0.95,)}, r"the return asked is 0\.95"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(changes, sentence, left_at_the_fork, model, graph):
    with pytest.raises(UserError, match=sentence):
        Extraction(left_at_the_fork, model, graph, replace(CONFIG, **changes)).report()


def test_frames_are_the_worlds(report, graph):
    assert report.frames.equal(torch.tensor(graph.frames))
