import pytest
import torch
from jaxtyping import Float32
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dtinterp.activations.sites import slots_at
from dtinterp.dataset.windows import Windows
from dtinterp.dictionary.dictionary import Dictionary
from dtinterp.dictionary.kinds.baselines.pca import Pca
from dtinterp.foundation.errors import UserError
from dtinterp.interventions.controls.drawn import random_directions
from dtinterp.interventions.edits.add import Adding
from dtinterp.interventions.edits.scale import Scaling
from dtinterp.interventions.edits.set import Setting
from dtinterp.interventions.instruction_flip.scenarios import Scenarios, decision_points
from dtinterp.interventions.intervene import Intervention, hooks, intervene
from dtinterp.interventions.parts.along import along
from dtinterp.interventions.parts.code import Code
from dtinterp.interventions.parts.whole import Whole
from dtinterp.interventions.slots import TokenKind, every_frame, first_frame, last_frame
from dtinterp.model.network.transformer import DecisionTransformer
from environments.graph.state_graph import StateGraph

SITES = ["hook_obs_embed", "blocks.0.hook_resid_pre", "blocks.1.hook_resid_post"]
FIRST = 5
"""The slot of the first of five frames in ten slots, counted from 0."""


@pytest.fixture
def direction(random_model: DecisionTransformer) -> Float32[Tensor, " d_model"]:
    return random_directions(1, random_model.cfg.d_model, torch.Generator().manual_seed(0))[0]


def _seen(
    model: DecisionTransformer, scenarios: Scenarios, interventions: list[Intervention], site: str
) -> Float32[Tensor, "batch place d_model"]:
    """What stands at the site after the interventions, all tokens of it."""
    seen = []

    def look(activation: Tensor, hook: HookPoint) -> None:  # noqa: ARG001
        seen.append(activation.clone())

    fwd_hooks = [*hooks(model, scenarios.windows, interventions), (site, look)]
    model.run_with_hooks(scenarios.windows, scenarios.items, fwd_hooks=fwd_hooks)
    return seen[0].detach()


@pytest.mark.parametrize("site", SITES)
def test_an_edit_touches_its_slot_and_nothing_else(
    site: str, random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    before = _seen(random_model, scenarios, [], site)
    edit = Intervention(site, first_frame, Adding(along(direction), 3.0))
    after = _seen(random_model, scenarios, [edit], site)
    place = FIRST if site == "hook_obs_embed" else 3 * FIRST + 1
    others = [index for index in range(before.shape[1]) if index != place]
    assert torch.equal(after[:, others], before[:, others])
    torch.testing.assert_close(after[:, place], before[:, place] + 3 * direction)


def test_without_interventions_the_model_answers_as_ever(
    random_model: DecisionTransformer, scenarios: Scenarios
) -> None:
    plain = random_model(scenarios.windows, scenarios.items)
    assert torch.equal(intervene(random_model, scenarios.windows, scenarios.items, []), plain)


@pytest.mark.parametrize("site", SITES)
def test_setting_what_is_there_changes_no_logit(
    site: str, random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    there = (
        slots_at(site, _seen(random_model, scenarios, [], site), random_model.cfg.observation_tokens)[:, FIRST]
        @ direction
    )
    edit = Intervention(site, first_frame, Setting(along(direction), there))
    plain = intervene(random_model, scenarios.windows, scenarios.items, [])
    edited = intervene(random_model, scenarios.windows, scenarios.items, [edit])
    torch.testing.assert_close(edited[scenarios.windows.mask], plain[scenarios.windows.mask], atol=1e-4, rtol=1e-4)


def test_an_edit_changes_the_answer(random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor) -> None:
    edit = Intervention("blocks.0.hook_resid_pre", first_frame, Adding(along(direction), 3.0))
    plain = intervene(random_model, scenarios.windows, scenarios.items, [])
    edited = intervene(random_model, scenarios.windows, scenarios.items, [edit])
    assert (edited - plain)[:, -1].abs().max() > 0.01


def test_the_past_does_not_feel_an_edit(
    random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    edit = Intervention("blocks.0.hook_resid_pre", last_frame, Adding(along(direction), 3.0))
    nothing = Intervention("blocks.0.hook_resid_pre", last_frame, Adding(along(direction), 0.0))
    plain = intervene(random_model, scenarios.windows, scenarios.items, [nothing])
    edited = intervene(random_model, scenarios.windows, scenarios.items, [edit])
    assert torch.equal(edited[:, FIRST:-1], plain[:, FIRST:-1])
    assert not torch.allclose(edited[:, -1], plain[:, -1], atol=1e-3)


def test_a_batch_is_its_windows_one_by_one(
    random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    """Against a hook written out: one window, one token, one coefficient at a time."""
    coefficient = torch.tensor([1.0, -2.0, 0.5, 3.0])
    edit = Intervention("blocks.1.hook_resid_pre", first_frame, Setting(along(direction), coefficient))
    batch = intervene(random_model, scenarios.windows, scenarios.items, [edit])
    for index in range(4):

        def patch(activation: Tensor, hook: HookPoint, wanted: Tensor = coefficient[index]) -> Tensor:  # noqa: ARG001
            patched = activation.clone()
            x = patched[0, 3 * FIRST + 1]
            patched[0, 3 * FIRST + 1] = x - (x @ direction) * direction + wanted * direction
            return patched

        window = scenarios.windows[index : index + 1]
        alone = random_model.run_with_hooks(window, scenarios.items, fwd_hooks=[("blocks.1.hook_resid_pre", patch)])
        torch.testing.assert_close(batch[index, -1], alone[0, -1], atol=1e-4, rtol=1e-4)


def test_interventions_at_one_site_act_in_order(
    random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    site = "blocks.0.hook_resid_pre"
    add, ablate = (
        Intervention(site, first_frame, edit)
        for edit in (Adding(along(direction), 2.0), Setting(along(direction), 0.0))
    )
    token = 3 * FIRST + 1
    ended_by_ablation = _seen(random_model, scenarios, [add, ablate], site)[:, token] @ direction
    ended_by_addition = _seen(random_model, scenarios, [ablate, add], site)[:, token] @ direction
    torch.testing.assert_close(ended_by_ablation, torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(ended_by_addition, torch.full((4,), 2.0), atol=1e-5, rtol=0)


def test_the_first_frame_is_found_wherever_padding_puts_it(
    random_model: DecisionTransformer, graph: StateGraph, direction: Tensor
) -> None:
    edit = Intervention("blocks.0.hook_resid_pre", first_frame, Adding(along(direction), 3.0))
    answers = []
    for n_slots in (5, 7, 10):
        scenarios = decision_points(graph, n_slots=n_slots, target_return=0.892)
        assert first_frame(scenarios.windows).nonzero()[:, 1].tolist() == [n_slots - 5] * 4
        answers.append(intervene(random_model, scenarios.windows, scenarios.items, [edit])[:, -1])
    torch.testing.assert_close(answers[1], answers[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(answers[2], answers[0], atol=1e-4, rtol=1e-4)


def _rolled(times: list[list[int]], masks: list[list[bool]]) -> Windows:
    time = torch.tensor(times)
    return Windows(
        rtg=torch.zeros(time.shape),
        frame_id=torch.zeros_like(time),
        action=torch.full_like(time, 7),
        time=time,
        mask=torch.tensor(masks),
        step=torch.full_like(time, -1),
    )


def test_a_frame_that_has_left_the_window_is_not_edited(
    random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    rolled = _rolled([[3, 4, 5]] * 2, [[True] * 3] * 2)
    edit = Intervention("blocks.0.hook_resid_pre", first_frame, Adding(along(direction), 3.0))
    zero = Intervention("blocks.0.hook_resid_pre", first_frame, Adding(along(direction), 0.0))
    edited = intervene(random_model, rolled, scenarios.items, [edit])
    assert torch.equal(edited, intervene(random_model, rolled, scenarios.items, [zero]))


def test_an_unknown_site_is_refused(random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor) -> None:
    edit = Intervention("blocks.9.hook_resid_pre", first_frame, Setting(along(direction), 0.0))
    with pytest.raises(UserError, match=r"the site is 'blocks\.9\.hook_resid_pre', expected one of hook_obs_embed"):
        intervene(random_model, scenarios.windows, scenarios.items, [edit])


def test_a_dictionary_acts_at_its_own_site_only(random_model: DecisionTransformer, scenarios: Scenarios) -> None:
    d_model = random_model.cfg.d_model
    dictionary = Dictionary(
        W_enc=torch.eye(d_model),
        b_enc=torch.zeros(d_model),
        W_dec=torch.eye(d_model),
        b_dec=torch.zeros(d_model),
        kind=Pca(n_components=d_model),
        scale=torch.tensor(1.0),
        site="hook_obs_embed",
        name="axes",
    )
    at_home, elsewhere = (
        Intervention(site, first_frame, Setting(Code(dictionary, 0), 0.0)) for site in ("hook_obs_embed", SITES[1])
    )
    assert intervene(random_model, scenarios.windows, scenarios.items, [at_home]).isfinite().all()
    with pytest.raises(UserError, match="'axes' was fitted at hook_obs_embed, the intervention is at blocks"):
        intervene(random_model, scenarios.windows, scenarios.items, [elsewhere])


def test_a_direction_of_the_stream_is_none_of_the_heads_although_it_is_as_long(
    random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    heads, edit = "blocks.0.attn.hook_z", Adding(along(direction), 1.0)
    with pytest.raises(UserError, match=r"one of 16 numbers of the residual stream, and at blocks\.0\.attn\.hook_z"):
        intervene(random_model, scenarios.windows, scenarios.items, [Intervention(heads, first_frame, edit)])
    own = Intervention(heads, first_frame, Adding(along(direction, heads), 1.0))
    assert intervene(random_model, scenarios.windows, scenarios.items, [own]).isfinite().all()


@pytest.mark.parametrize(("token", "place"), [("return", 0), ("observation", 1), ("action", 2)])
def test_each_kind_of_token_is_edited_in_every_slot_that_has_one(
    token: TokenKind, place: int, random_model: DecisionTransformer, scenarios: Scenarios, direction: Tensor
) -> None:
    site = "blocks.1.hook_resid_pre"
    before = _seen(random_model, scenarios, [], site)
    after = _seen(
        random_model, scenarios, [Intervention(site, every_frame, Adding(along(direction), 2.0), token)], site
    )
    moved = (after - before).abs().amax(dim=(0, 2)) > 0.01
    wanted = [index >= 3 * FIRST and index % 3 == place for index in range(29)]
    assert moved.tolist() == wanted


@pytest.mark.parametrize(
    "site",
    [
        "hook_rtg_embed",
        "blocks.0.attn.hook_q",
        "blocks.0.attn.hook_pattern",
        "blocks.1.mlp.hook_post",
        "ln_final.hook_scale",
    ],
)
def test_adding_nothing_changes_no_bit_at_any_kind_of_site(
    site: str, random_model: DecisionTransformer, scenarios: Scenarios
) -> None:
    def listen(activation: Tensor, hook: HookPoint) -> Tensor:  # noqa: ARG001
        return activation.clone()

    nothing = Intervention(site, every_frame, Adding(Whole(), 0.0))
    listened = random_model.run_with_hooks(scenarios.windows, scenarios.items, fwd_hooks=[(site, listen)])
    edited = intervene(random_model, scenarios.windows, scenarios.items, [nothing])
    assert torch.equal(edited[scenarios.windows.mask], listened.detach()[scenarios.windows.mask])
    scaled = Intervention(site, every_frame, Scaling(Whole(), 3.0))
    assert not torch.allclose(
        intervene(random_model, scenarios.windows, scenarios.items, [scaled])[:, -1], edited[:, -1]
    )
