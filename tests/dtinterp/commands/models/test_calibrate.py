import pytest
from pydantic import TypeAdapter

from dtinterp.commands.models.calibrate import calibrate
from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.returns.calibration import CalibrateConfig, Calibration, demands
from dtinterp.model.config import TrainConfig
from dtinterp.model.storage import load_model, save_model

CONFIG = CalibrateConfig(n_groups=2, n_followed=40, n_episodes=16)


@pytest.fixture(scope="session")
def calibrated(folders):
    return calibrate(CONFIG, folders.root / "calibration", model=folders.model, demonstrations=folders.demonstrations)


@pytest.fixture(scope="session")
def found(calibrated):
    return TypeAdapter(list[Calibration]).validate_python(calibrated.manifest.metrics["calibrations"])


def test_what_each_sampler_achieved_is_asked_for_in_each_way_of_acting(folders, found):
    trajectories, _ = load_trajectories(folders.demonstrations)
    asked = demands(trajectories, n_groups=2)
    assert [each.demand for each in found] == [demand for demand in asked for _ in range(2)]
    assert [each.acting for each in found] == ["greedy", "temperature=1"] * len(asked)


def test_a_greedy_model_is_calibrated_exactly(found):
    for each in found[::2]:
        for point in each.points:
            shares = [getattr(point.evaluation, name) for name in ("success", "failure", "timeout")]
            assert {share.n for share in shares} == {0}
            assert all(share.low == share.high for share in shares)
            assert sum(share.estimate for share in shares) == pytest.approx(1)


def test_where_too_many_windows_are_reached_episodes_are_played(found):
    assert {point.evaluation.success.n for each in found[1::2] for point in each.points} == {16}


def test_a_calibration_rests_on_the_model_and_its_demonstrations(folders, calibrated, found):
    digests = {load_model(folders.model).artefact.manifest.digest}
    digests.add(load_trajectories(folders.demonstrations)[1].manifest.digest)
    assert set(calibrated.manifest.parents.values()) == digests
    assert len(calibrated.manifest.metrics["error"]) == len(found)


def test_a_calibration_without_episodes_is_refused():
    with pytest.raises(UserError, match="n_episodes"):
        CalibrateConfig(n_episodes=0)


@pytest.mark.parametrize(
    ("sampler", "sentence"), [((), "sampler is empty"), (("greedy", "greedyy"), "greedyy"), (("temperature=-1",), "-1")]
)
def test_a_way_of_acting_that_is_none_is_refused_before_anything_is_played(sampler, sentence):
    with pytest.raises(UserError, match=sentence):
        CalibrateConfig(sampler=sampler)


def test_a_model_that_is_asked_for_nothing_is_refused(folders, draw_model, tmp_path):
    _, parent = load_trajectories(folders.demonstrations)
    clone = draw_model(return_to_go=False)
    save_model(tmp_path / "clone", clone, TrainConfig(clone.cfg), parent=parent, metrics={})
    with pytest.raises(UserError, match="clone clones behaviour and is asked for no return: give a model that is told"):
        calibrate(CONFIG, tmp_path / "found", model=tmp_path / "clone", demonstrations=folders.demonstrations)
