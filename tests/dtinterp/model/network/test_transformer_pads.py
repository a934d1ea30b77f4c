from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.errors import UserError


def padded(windows: Windows, n_pads: int) -> Windows:
    def pad(column, value):
        return functional.pad(column, (n_pads, 0), value=value)

    return Windows(
        rtg=pad(windows.rtg, 0.0),
        frame_id=pad(windows.frame_id, 0),
        action=pad(windows.action, PAD_ACTION),
        time=pad(windows.time, 0),
        mask=pad(windows.mask, False),
        step=pad(windows.step, -1),
    )


MASKING = [{}, {"position_embedding": True}, {"return_to_go": False}]


@pytest.mark.parametrize("options", MASKING, ids=str)
@pytest.mark.parametrize("n_pads", [1, 4, 9])
@pytest.mark.parametrize("n_real", [1, 3])
def test_left_padding_by_any_amount_changes_no_logit_of_a_real_slot(
    draw_model, windows, items, options, n_pads, n_real
):
    model = draw_model(n_slots=20, **options)
    short = Windows(**{name: column[:, -n_real:] for name, column in vars(windows).items()})
    with torch.no_grad():
        plain, shifted = model(short, items), model(padded(short, n_pads), items)
    torch.testing.assert_close(shifted[:, n_pads:][short.mask], plain[short.mask], atol=1e-5, rtol=1e-5)


def scribbled(windows: Windows, n_frames: int) -> Windows:
    """The windows with nonsense in their pads."""
    return replace(
        windows,
        rtg=torch.where(windows.mask, windows.rtg, 5.0),
        frame_id=torch.where(windows.mask, windows.frame_id, n_frames - 1),
        action=torch.where(windows.mask, windows.action, 3),
        time=torch.where(windows.mask, windows.time, 17),
    )


@pytest.mark.parametrize("options", MASKING, ids=str)
def test_what_stands_in_a_pad_changes_nothing(draw_model, windows, items, options):
    model = draw_model(**options)
    with torch.no_grad():
        plain, other = model(windows, items), model(scribbled(windows, len(items)), items)
    assert torch.equal(plain[windows.mask], other[windows.mask])


def test_a_pad_that_is_attended_to_holds_no_frame_and_asks_for_the_first_return(draw_model, windows, items):
    model = draw_model(attend_to_padding=True, position_embedding=True)
    first = windows.mask.int().argmax(1)
    explicit = replace(
        windows,
        rtg=torch.where(windows.mask, windows.rtg, windows.rtg[torch.arange(len(windows)), first][:, None]),
        frame_id=torch.where(windows.mask, windows.frame_id, len(items)),
        mask=torch.ones_like(windows.mask),
    )
    with_blank = torch.cat([items, torch.zeros(1, items.shape[1])])
    with torch.no_grad():
        ours, plain = model(windows, items), model(explicit, with_blank)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)


def test_a_pad_that_is_attended_to_matters(draw_model, windows, items):
    model = draw_model(attend_to_padding=True)
    is_padded = ~windows.mask.all(dim=1)
    masking = draw_model()
    masking.load_state_dict(model.state_dict())
    with torch.no_grad():
        seen, unseen = model(windows, items)[:, -1], masking(windows, items)[:, -1]
    assert not torch.isclose(seen[is_padded], unseen[is_padded]).all(dim=1).any()
    torch.testing.assert_close(seen[~is_padded], unseen[~is_padded], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_actions", [3, 7])
def test_a_pad_has_its_own_action_whatever_their_number(draw_model, windows, items, n_actions):
    model = draw_model(n_actions=n_actions)
    few = replace(windows, action=torch.where(windows.mask, windows.action % n_actions, PAD_ACTION))
    _, cache = model.run_with_cache(few, items)
    assert torch.equal(cache["hook_action_embed"][~few.mask], model.W_action[-1].expand(int((~few.mask).sum()), -1))
    assert torch.equal(cache["hook_action_embed"][few.mask], model.W_action[few.action[few.mask]])


def test_attention_never_looks_at_a_pad_from_a_real_token(model, windows, items):
    _, cache = model.run_with_cache(windows, items)
    real = windows.mask.repeat_interleave(3, dim=1)[:, :-1]
    to_pad = cache["blocks.1.attn.hook_pattern"].masked_fill(real[:, None, None, :], 0.0)
    assert to_pad.sum(-1)[real[:, None, :].expand(-1, 4, -1)].abs().max() == 0


def test_windows_longer_than_the_model_are_refused(model, windows, items):
    with pytest.raises(UserError, match="11 slots, the model was trained on 10"):
        model(padded(windows, 1), items)


def test_short_windows_are_refused_where_pads_are_attended_to(draw_model, windows, items):
    short = Windows(**{name: column[:, -3:] for name, column in vars(windows).items()})
    with pytest.raises(UserError, match="the windows have 3 slots, the model attends to its pads and needs all 10"):
        draw_model(attend_to_padding=True)(short, items)
