from dataclasses import replace

import pytest
import torch

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network import continuation as module
from dtinterp.model.network.continuation import continuation
from dtinterp.model.network.transformer import DecisionTransformer

N_FRAMES = 20
SHAPES = {
    "plain": {},
    "bare": {"normalization_type": "none", "time_embedding": False},
    "gated, with positions": {"gated_mlp": True, "position_embedding": True},
    "pads attended to": {"attend_to_padding": True},
    "behaviour cloning": {"return_to_go": False, "normalization_type": "RMSPre"},
}


def _model(**parts) -> DecisionTransformer:
    model = DecisionTransformer(
        ModelConfig(d_model=16, n_layers=3, n_heads=2, d_mlp=8, n_items=30, **parts), generator(0, "model")
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4, generator=generator(1, str(parameter.shape)))
    return model


def _window(n_real: int) -> Windows:
    random = generator(n_real, "window")
    mask = torch.arange(10)[None] >= 10 - n_real
    return Windows(
        rtg=torch.rand(1, 10, generator=random) * mask,
        frame_id=torch.randint(N_FRAMES, (1, 10), generator=random) * mask,
        action=torch.where(mask, torch.randint(7, (1, 10), generator=random), PAD_ACTION),
        time=(torch.arange(10)[None] - 10 + n_real) * mask,
        mask=mask,
        step=torch.full((1, 10), -1),
    )


@pytest.fixture(scope="module")
def items() -> torch.Tensor:
    return torch.rand(N_FRAMES, 30, generator=generator(0, "items"))


def _put_in(window: Windows, slot: int, frames: torch.Tensor) -> Windows:
    copies = window[torch.zeros(len(frames), dtype=torch.int64)]
    frame_id = copies.frame_id.clone()
    frame_id[:, slot] = frames
    return replace(copies, frame_id=frame_id)


@torch.no_grad()
@pytest.mark.parametrize("parts", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("n_real", "slot"), [(10, 0), (10, 6), (10, 9), (3, 7), (3, 9), (1, 9)])
def test_it_is_the_whole_window_computed_anew(parts, n_real, slot, items) -> None:
    model, window, frames = _model(**parts), _window(n_real), torch.arange(N_FRAMES)
    found = continuation(model, window, items, slot).logits(items @ model.W_obs)
    torch.testing.assert_close(found, model(_put_in(window, slot, frames), items)[:, slot:], atol=1e-4, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_at_a_deeper_site_it_is_the_residual_stream_exchanged_at_one_token(layer, items) -> None:
    model, window, slot = _model(), _window(8), 4
    site = f"blocks.{layer}.hook_resid_pre" if layer < 3 else "blocks.2.hook_resid_post"
    token = 3 * slot + 1
    found = continuation(model, window, items, slot).logits(items @ model.W_obs, layer=layer)
    for frame in (0, 7, 19):
        donor = model.run_with_cache(_put_in(window, slot, torch.tensor([frame])), items)[1][site][0, token]

        def exchange(x, donor=donor, **_):
            x = x.clone()
            x[:, token] = donor
            return x

        patched = model.run_with_hooks(window, items, fwd_hooks=[(site, exchange)])[0, slot:]
        torch.testing.assert_close(found[frame], patched, atol=2e-5, rtol=1e-4)


def test_the_frame_that_stood_there_changes_nothing(items) -> None:
    model, window = _model(), _window(10)
    for layer in range(4):
        own = (items @ model.W_obs)[window.frame_id[0, 3]][None]
        found = continuation(model, window, items, 3).logits(own, layer=layer)[0]
        torch.testing.assert_close(found, model(window, items)[0, 3:], atol=2e-5, rtol=1e-4)


def test_batches_are_no_matter(items, monkeypatch) -> None:
    model, window = _model(), _window(10)
    whole = continuation(model, window, items, 5).logits(items @ model.W_obs)
    monkeypatch.setattr(module, "BATCH", 3)
    torch.testing.assert_close(continuation(model, window, items, 5).logits(items @ model.W_obs), whole)


def test_a_slot_of_padding_is_refused(items) -> None:
    with pytest.raises(ValueError, match="slot 2 of 1 windows: expected one window and a slot that is no padding"):
        continuation(_model(), _window(5), items, 2)


def test_a_model_that_somebody_listens_to_is_refused(items) -> None:
    model = _model()
    with (
        model.hooks(fwd_hooks=[("blocks.0.hook_resid_mid", lambda x, **_: x)]),
        pytest.raises(ValueError, match="a hook"),
    ):
        continuation(model, _window(10), items, 9)
