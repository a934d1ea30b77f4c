from pathlib import Path

import pytest
import torch
from transformer_lens import ActivationCache

from dtinterp.dataset.packing import last_slots
from dtinterp.model.network.folding import fold_norms
from dtinterp.model.network.normalization import LayerNorm, RMSNorm
from dtinterp.model.storage import load_model

SHIPPED = Path(__file__).parents[4] / "checkpoints" / "models" / "memory-dt"


def with_drawn_norms(model):
    """The model with norms whose weights are far from one and zero."""
    rng = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith((".w", ".b")):
                weight.copy_(2 * torch.randn(weight.shape, generator=rng))
    return model


@torch.no_grad()
def logits(model, windows, items):
    return model(windows, items)


def test_folding_leaves_every_logit_where_it_was(variant, windows, items):
    model = with_drawn_norms(variant)
    before = logits(model, windows, items)
    size = float(before.abs().max())
    torch.testing.assert_close(logits(fold_norms(model), windows, items), before, atol=1e-5 * size, rtol=0)


@pytest.mark.parametrize("kind", ["LN", "RMS"])
@pytest.mark.parametrize("gated", [False, True])
def test_a_folded_model_has_norms_without_weights(draw_model, kind, gated):
    folded = fold_norms(draw_model(normalization_type=kind, gated_mlp=gated))
    assert folded.cfg.normalization_type == f"{kind}Pre"
    assert not any(isinstance(part, LayerNorm | RMSNorm) for part in folded.modules())


@pytest.mark.parametrize("matrix", ["W_gate", "W_in"])
def test_each_matrix_of_a_gated_mlp_must_be_folded(draw_model, windows, items, matrix):
    model = with_drawn_norms(draw_model(gated_mlp=True))
    forgetful = fold_norms(model)
    with torch.no_grad():
        dict(forgetful.named_parameters())[f"blocks.0.mlp.{matrix}"].copy_(
            dict(model.named_parameters())[f"blocks.0.mlp.{matrix}"]
        )
    difference = (logits(forgetful, windows, items) - logits(model, windows, items))[windows.mask].abs().max()
    assert difference > 0.1


@pytest.mark.parametrize("kind", ["none", "LNPre", "RMSPre"])
def test_norms_without_weights_leave_nothing_to_fold(draw_model, kind):
    model = draw_model(normalization_type=kind)
    folded = fold_norms(model)
    assert folded.cfg == model.cfg
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(folded.parameters(), model.parameters(), strict=True))


def test_the_model_that_is_folded_stays_as_it_is(draw_model):
    model = draw_model()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    folded = fold_norms(model)
    with torch.no_grad():
        for weight in folded.parameters():
            weight.zero_()
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_model_that_ships_says_the_same_when_folded(windows, items):
    model = load_model(SHIPPED).model
    torch.testing.assert_close(
        logits(fold_norms(model), windows, items), logits(model, windows, items), atol=1e-4, rtol=1e-5
    )


def test_the_published_model_says_the_same_when_folded(published, windows, items):
    shown = last_slots(windows, 9)
    torch.testing.assert_close(
        logits(fold_norms(published), shown, items), logits(published, shown, items), atol=1e-4, rtol=1e-5
    )


@torch.no_grad()
def test_transformer_lens_attributes_the_logits_of_a_folded_model_in_full(variant, windows, items):
    model = fold_norms(with_drawn_norms(variant))
    said, tensors = model.run_with_cache(windows, items)
    cache = ActivationCache(tensors, model)
    parts, _ = cache.get_full_resid_decomposition(expand_neurons=True, return_labels=True)
    left, right = 0, 1
    tokens = model.cfg.observation_tokens
    attributed = cache.logit_attrs(parts, tokens=left, incorrect_tokens=right).sum(0)[:, tokens]
    bias = model.b_U[left] - model.b_U[right]
    difference = said[..., left] - said[..., right]
    torch.testing.assert_close(attributed + bias, difference, atol=1e-5 * float(said.abs().max()), rtol=1e-4)


def test_a_folded_model_is_as_precise_as_it_was(draw_model):
    assert fold_norms(draw_model().double()).W_U.dtype == torch.float64
