from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter

from dtinterp.commands.train_model import N_EPISODES, TARGETS, calibration_of, coded, train_model
from dtinterp.demonstrations.samplers import Greedy
from dtinterp.foundation.errors import UserError
from dtinterp.model.breakdown import Breakdown
from dtinterp.model.frames import ordinal
from dtinterp.model.storage import load_model
from dtinterp.report.results import calibration_of as recorded_calibration
from environments.vocabulary import one_hot


def test_a_model_is_calibrated_for_each_return_and_sampler(folders):
    calibration = recorded_calibration(load_model(folders.model).artefact)
    assert set(calibration) == {"greedy", "temperature=1"}
    for points in calibration.values():
        assert [point.target_return for point in points] == list(TARGETS)
        assert all(point.evaluation.success.n == N_EPISODES for point in points)


def test_the_outcomes_of_a_calibration_add_up(folders):
    trained = load_model(folders.model)
    (point,) = calibration_of(
        trained.model, "MiniGrid-MemoryS7FixedStartStatic-v0", Greedy(), targets=(0.5,), n_episodes=40
    )
    fares = point.evaluation
    assert fares.success.estimate + fares.failure.estimate + fares.timeout.estimate == pytest.approx(1)


def test_held_out_actions_are_reported_by_slot_return_and_sampler(folders):
    found = TypeAdapter(Breakdown).validate_python(load_model(folders.model).artefact.manifest.metrics["validation"])
    assert set(found.by_sampler) == {"temperature=1", "temperature=5"}
    assert "slot 10" in found.by_slot
    assert found.overall.loss.n == found.by_slot["slot 10"].loss.n


def test_models_are_kept_on_the_way_and_the_last_is_the_model_itself(folders):
    kept = folders.root / "model.steps"
    assert sorted(path.name for path in kept.iterdir()) == ["best", "step-000001", "step-000003", "step-000012"]
    last, model = load_model(kept / "step-000012").model, load_model(folders.model).model
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(last.parameters(), model.parameters(), strict=True))


def test_models_of_another_training_are_not_overwritten(folders):
    with pytest.raises(UserError, match=r"model\.steps holds models of another training: remove it"):
        train_model(
            replace(load_model(folders.model).config, seed=1), folders.demonstrations, folders.model, replace=True
        )


def test_nothing_unfinished_is_left(folders):
    assert not list(folders.root.glob("*unfinished*"))


def test_a_model_is_not_trained_on_something_else(folders, tmp_path):
    with pytest.raises(UserError, match="is of kind agent, expected demonstrations"):
        train_model(load_model(folders.model).config, folders.agent, tmp_path / "model")


def test_frames_are_coded_as_the_model_reads_them(trajectories):
    assert torch.equal(coded(trajectories, 980).table, one_hot(trajectories.frames))
    assert torch.equal(coded(trajectories, 147).table, ordinal(trajectories.frames))
    with pytest.raises(UserError, match=r"n_items is 20, expected 980 \(one-hot\) or 147 \(ordinal\)"):
        coded(trajectories, 20)


def test_a_model_of_ordinal_frames_is_calibrated_like_any_other(draw_model):
    (point,) = calibration_of(
        draw_model(n_items=147), "MiniGrid-MemoryS7FixedStartStatic-v0", Greedy(), targets=(0.5,), n_episodes=4
    )
    assert point.evaluation.success.n == 4
