from dataclasses import asdict

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Content, write_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import TrainConfig
from dtinterp.model.storage import load_model, save_model, untrained_twin
from tests.limits import little_memory


@pytest.fixture
def demonstrations(tmp_path):
    return write_artefact(tmp_path / "demonstrations", Content("demonstrations", {}, {}, {}), parents=(), seed=0)


@pytest.fixture
def config(model):
    return TrainConfig(model.cfg, seed=4, precision="bfloat16", learning_rate=0.01)


def test_a_saved_model_gives_the_same_logits(model, config, demonstrations, windows, items, tmp_path):
    written = save_model(tmp_path / "model", model, config, parent=demonstrations, metrics={"loss": 0.5})
    back = load_model(tmp_path / "model", parent=demonstrations)
    assert back.config == config
    assert (back.artefact.manifest, back.artefact.manifest.device) == (written.manifest, "cpu")
    assert not back.model.training
    with torch.no_grad():
        assert torch.equal(back.model(windows, items), model(windows, items))


def test_a_model_of_other_demonstrations_is_refused(model, config, demonstrations, tmp_path):
    save_model(tmp_path / "model", model, config, parent=demonstrations, metrics={})
    stranger = write_artefact(tmp_path / "stranger", Content("demonstrations", {}, {}, {}), parents=(), seed=1)
    with pytest.raises(UserError, match=r"model was not made from .*stranger"):
        load_model(tmp_path / "model", parent=stranger)


def test_what_is_no_model_is_refused(demonstrations):
    with pytest.raises(UserError, match="is of kind demonstrations, expected model"):
        load_model(demonstrations.path)


def test_an_untrained_twin_has_the_shape_and_none_of_the_weights(model, config):
    twin, other = untrained_twin(config, draw=0), untrained_twin(config, draw=1)
    assert {name: tensor.shape for name, tensor in twin.state_dict().items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }
    assert not torch.isclose(twin.W_obs, model.W_obs).all()
    assert not torch.isclose(twin.W_obs, other.W_obs).all()
    assert torch.equal(twin.W_obs, untrained_twin(config, draw=0).W_obs)


@pytest.mark.parametrize(
    ("settings", "lacking", "sentence"),
    [
        ({"model": {"rotary": True}}, "", "model has rotary, which this version cannot read: use a newer one"),
        ({"model": None}, "", "model has no shape, which this version cannot read"),
        ({"model": {"d_mlp": 96}}, "", "model does not have the weights of the shape that it says: make it again"),
        ({}, "W_U", "model does not have the weights of the shape that it says"),
        (
            {"model": {"d_mlp": "wide"}},
            "",
            r"model\.d_mlp is 'wide' \(.*\) in .*model, where it cannot be: make it again",
        ),
        ({"model": {"n_layers": None}}, "", r"model\.n_layers is None \(.*\) in .*model, where it cannot be"),
        ({"steps": []}, "", r"steps is \[\] \(.*\) in .*model, where it cannot be"),
    ],
)
def test_a_model_whose_parts_do_not_fit_is_refused(model, config, tmp_path, settings, lacking, sentence):
    told = asdict(config)
    told |= {name: {**told[name], **part} if isinstance(part, dict) else part for name, part in settings.items()}
    weights = {name: weight for name, weight in model.state_dict().items() if name != lacking}
    write_artefact(tmp_path / "model", Content("model", told, weights, {}), parents=(), seed=0)
    with pytest.raises(UserError, match=sentence):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("size", "value", "sentence"),
    [
        ("d_mlp", 10**7, "does not have the weights of the shape that it says: make it again"),
        ("max_time", 10**7, "does not have the weights of the shape that it says"),
        ("n_items", 2**30, "says that it has weights larger than any memory"),
        ("d_mlp", 10**300, "d_mlp is 10+, expected a number from .*: give another value"),
        ("n_layers", 10**8, r"has \d+ weights, too few for the 100000000 layers it says"),
        ("n_layers", 1000, r"has \d+ weights, too few for the 1000 layers it says"),
    ],
)
def test_a_small_file_that_says_it_is_large_costs_nothing(model, config, tmp_path, size, value, sentence):
    told = asdict(config)
    told["model"][size] = value
    write_artefact(tmp_path / "model", Content("model", told, model.state_dict(), {}), parents=(), seed=0)
    with little_memory(), pytest.raises(UserError, match=sentence):
        load_model(tmp_path / "model")


def test_an_imported_model_with_a_world_that_cannot_be_gets_one_sentence(model, tmp_path):
    told = {"model": asdict(model.cfg), "published": {"environment_config": {"env_id": 3}}}
    write_artefact(tmp_path / "model", Content("model", told, model.state_dict(), {}), parents=(), seed=0)
    loaded = load_model(tmp_path / "model")
    with pytest.raises(UserError, match=r"environment_config\.env_id is 3 \(.*\) in .*model"):
        _ = loaded.env_id
