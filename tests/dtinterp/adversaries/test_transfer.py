import pytest
import torch

from dtinterp.adversaries.objectives.actions import FlipLogits
from dtinterp.adversaries.transfer import asked_for, transfers
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig
from dtinterp.model.network.transformer import DecisionTransformer


def test_shown_to_itself_an_adversary_does_what_it_did(problem):
    made = problem()
    shown = [(made.table.words([edit]), made.adversarial([edit])) for edit in (3, 6)]
    models = {"itself": made.window.model}
    found = transfers(made.window.scene, shown, made.objective, models, (0.892, 0.0))
    assert [(each.model, each.target_return) for each in found] == [
        ("itself", asked) for asked in (0.892, 0.892, 0.0, 0.0)
    ]
    values = made.values(torch.tensor([[3], [6]]))
    assert [each.edited for each in found[:2]] == pytest.approx(values.tolist(), abs=1e-4)
    assert found[0].original == pytest.approx(made.original, abs=1e-4)
    assert found[2].original != pytest.approx(made.original, abs=1e-4)


@pytest.mark.parametrize("n_slots", [5, 9, 12])
def test_windows_take_the_slots_that_a_model_has(problem, random_model, n_slots):
    made = problem()
    model = DecisionTransformer(
        ModelConfig(d_model=16, n_layers=2, n_heads=2, d_mlp=32, n_slots=n_slots), torch.Generator()
    )
    model.load_state_dict(random_model.state_dict())
    scene = asked_for(made.window.scene, 0.892, n_slots=n_slots)
    assert scene.window.n_slots == n_slots
    shown = [(("one",), made.adversarial([3]))]
    (found,) = transfers(made.window.scene, shown, FlipLogits(1, 4), {"other": model.eval()}, (0.892,))
    assert found.edited == pytest.approx(float(made.values(torch.tensor([[3]]))), abs=1e-4)


def test_a_model_with_fewer_slots_than_frames_is_refused(view):
    with pytest.raises(UserError, match="the window 'Key,Key-Ball' has 5 frames, a model to transfer to sees 4"):
        asked_for(view, 0.5, n_slots=4)
