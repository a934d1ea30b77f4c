import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.directions import das
from dtinterp.interventions.windows.decision_points import DecisionPoints


def test_the_planted_direction_is_learned_and_its_controls_stay_behind(find, planted_direction):
    pytest.importorskip(das.MODULE)
    found = find("das", {"site": "blocks.0.hook_resid_pre"}, epochs=50, learning_rate=0.1)
    assert found.explains["accuracy"] == 1
    assert found.explains["accuracy, difference of means"] == 1
    for control in ("arbitrary labels", "untrained model", "placebo", "nothing exchanged"):
        assert found.explains[f"accuracy, {control}"] <= 0.5, control
    assert abs(float(found.vectors[0] @ planted_direction)) > 0.5  # what no row varies in is free
    assert found.found_at == "blocks.0.hook_resid_pre"


def test_the_model_and_the_random_stream_are_left_as_they_were(find, material):
    pytest.importorskip(das.MODULE)
    torch.manual_seed(5)
    expected, model = torch.rand(2), material.subject.model
    weights = model.W_obs.detach().clone()
    torch.manual_seed(5)
    find("das", epochs=1)
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(model.W_obs, weights)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_older_transformer_lens_is_named(find, monkeypatch):
    monkeypatch.setattr(das, "MODULE", "transformer_lens.tools.of_tomorrow")
    with pytest.raises(UserError, match=r"DAS needs transformer-lens 4\.3 or newer, \d+\.\d+"):
        find("das")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"variables": ["top_target"]}, "the fact instruction is none of the variables top_target"),
        ({"variables": ["instruction"]}, "windows with equal instruction differ in correct_turn"),
        ({"decides": "instruction", "variables": ["instruction"]}, "has the value key, which is no action"),
    ],
)
def test_facts_that_decide_nothing_are_refused(find, fields, sentence):
    pytest.importorskip(das.MODULE)
    with pytest.raises(UserError, match=sentence):
        find("das", **fields)


def test_windows_that_do_not_differ_and_sites_of_heads_are_refused(find, planted_subject):
    pytest.importorskip(das.MODULE)
    keys = DecisionPoints(where={"instruction": "key"}).choose(planted_subject, seed=0)
    with pytest.raises(UserError, match="exchanging instruction changes no decision in these windows"):
        find("das", {"windows": keys})
    with pytest.raises(UserError, match=r"at blocks\.0\.attn\.hook_z they are heads: use the stream"):
        find("das", {"site": "blocks.0.attn.hook_z"})
