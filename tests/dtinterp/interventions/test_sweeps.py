from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.edits.specification import Dosed
from dtinterp.interventions.intervene import intervene, made
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.places import At
from dtinterp.interventions.sweeps import n_doses_of, sweep
from dtinterp.model.network.transformer import DecisionTransformer

PLACES = [
    {"site": "hook_obs_embed"},
    {"site": "hook_obs_embed", "slot": "first"},
    {"site": "hook_obs_embed", "slot": "all"},
    {"site": "blocks.0.hook_resid_pre", "slot": {"index": 6}},
    {"site": "blocks.0.hook_resid_post", "slot": {"time": 2}, "token": "action"},
    {"site": "blocks.1.hook_resid_pre", "slot": "all", "token": "return"},
    {"site": "blocks.1.hook_resid_post"},
    {"site": "blocks.1.attn.hook_z", "slot": "all"},
    {"site": "blocks.0.mlp.hook_post", "slot": "first"},
]


def _edit(at: At, width: int, amounts: Tensor) -> Dosed:
    direction = torch.nn.functional.normalize(torch.linspace(-1, 2, width), dim=0)
    return Dosed(at, along(direction, at.site), Setting, {"to": amounts})


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(map(str, place.values())))
def test_a_sweep_is_its_doses_one_by_one_as_hooks(
    place: dict[str, object], draw_model: Callable[..., DecisionTransformer], windows: Windows, items: Tensor
) -> None:
    """Windows of all lengths, of which some have no such slot; each with amounts of its own at one of the sites."""
    model, at = draw_model(), At.model_validate(place)
    width = {"blocks.0.mlp.hook_post": 24}.get(at.site, 16)
    n_windows = len(windows) if at.site.endswith("resid_pre") else 1
    edit = _edit(at, width, torch.linspace(-3, 3, 3 * n_windows).view(3, n_windows, 1))
    swept = sweep(model, windows, items, [edit])
    for dose in range(3):
        hooked = intervene(model, windows, items, [made(edit, slice(dose, dose + 1), len(windows))])
        torch.testing.assert_close(swept[dose], hooked[:, -1], atol=2e-5, rtol=2e-5)
    assert not torch.allclose(swept[0], swept[2], atol=1e-4)


def test_adding_nothing_is_doing_nothing_to_the_bit(
    draw_model: Callable[..., DecisionTransformer], windows: Windows, items: Tensor
) -> None:
    model = draw_model()
    for site in ("hook_obs_embed", "blocks.1.hook_resid_pre"):
        nothing = Dosed(At(site=site), Whole(), Adding, {"by": torch.zeros(2, 1, 1)})
        twice = sweep(model, windows, items, [nothing])
        assert torch.equal(twice[0], twice[1])
        torch.testing.assert_close(twice[0], intervene(model, windows, items, [])[:, -1], atol=1e-5, rtol=1e-5)


def test_several_edits_go_in_step_and_one_value_holds_at_all_doses(
    draw_model: Callable[..., DecisionTransformer], windows: Windows, items: Tensor
) -> None:
    model = draw_model()
    first = _edit(At(site="hook_obs_embed"), 16, torch.tensor([1.0, 2.0])[:, None, None])
    second = _edit(At(site="blocks.1.hook_resid_pre", slot="all"), 16, torch.full((1, 1, 1), 3.0))
    swept = sweep(model, windows, items, [first, second])
    for dose in range(2):
        edits = [made(each, slice(dose, dose + 1), len(windows)) for each in (first, second)]
        torch.testing.assert_close(swept[dose], intervene(model, windows, items, edits)[:, -1], atol=2e-5, rtol=2e-5)
    other = _edit(At(site="hook_obs_embed"), 16, torch.zeros(3, 1, 1))
    with pytest.raises(UserError, match="the edits sweep over 2 and 3 doses, expected equally many"):
        n_doses_of([first, second, other])


def test_a_model_that_attends_to_pads_is_swept_with_hooks(
    draw_model: Callable[..., DecisionTransformer], windows: Windows, items: Tensor
) -> None:
    model = draw_model(attend_to_padding=True)
    edit = _edit(At(site="hook_obs_embed"), 16, torch.tensor([1.0, 2.0])[:, None, None])
    swept = sweep(model, windows, items, [edit])
    hooked = intervene(model, windows, items, [made(edit, slice(1, 2), len(windows))])
    torch.testing.assert_close(swept[1], hooked[:, -1], atol=2e-5, rtol=2e-5)
