"""What an MLP reads and writes, and something in its place, for every kind of model."""

import pytest
import torch

from dtinterp.activations import harvest as harvest_module
from dtinterp.activations.harvest import logits_with_hooks
from dtinterp.activations.mlps import MlpSplice, harvest_mlp, harvest_mlps, real_observations, real_tokens
from dtinterp.foundation.errors import UserError


@pytest.fixture(autouse=True)
def _several_batches(monkeypatch):
    monkeypatch.setattr(harvest_module, "BATCH", 23)


def test_the_layer_itself_maps_what_it_reads_to_what_it_writes(variant, windows, items):
    for layer, block in enumerate(variant.layers):
        rows = harvest_mlp(variant, windows, items, layer)
        with torch.no_grad():
            torch.testing.assert_close(block.mlp.fused(rows.inputs[None])[0], rows.outputs, atol=1e-4, rtol=1e-4)


def test_all_layers_are_harvested_in_the_same_passes(variant, windows, items, monkeypatch):
    passes = []
    run = variant.run_with_hooks
    monkeypatch.setattr(variant, "run_with_hooks", lambda *a, **b: passes.append(1) or run(*a, **b))
    together = harvest_mlps(variant, windows, items, [1, 0])
    assert len(passes) == -(-len(windows) // 23)
    for layer, rows in zip([1, 0], together, strict=True):
        alone = harvest_mlp(variant, windows, items, layer)
        assert rows.layer == layer
        assert torch.equal(rows.step, alone.step)
        torch.testing.assert_close(rows.inputs, alone.inputs)
        torch.testing.assert_close(rows.outputs, alone.outputs)


def test_there_is_a_row_for_every_real_token(variant, windows, items):
    rows = harvest_mlp(variant, windows, items, 0)
    per_slot = variant.cfg.tokens_per_slot
    n_real = sum(per_slot for real in windows.mask.flatten().tolist() if real)
    assert len(rows.step) == n_real - int(windows.mask[:, -1].sum())  # the last action is no token
    assert int(real_tokens(variant, windows).sum()) == len(rows.step)
    assert rows.step.min() >= 0


def test_observation_tokens_are_chosen_alone_where_asked(variant, windows, items):
    every, some = (harvest_mlp(variant, windows, items, 0, at=at) for at in (real_tokens, real_observations))
    assert torch.equal(some.step, windows.step[windows.mask])
    is_observation = real_observations(variant, windows)[real_tokens(variant, windows)]
    torch.testing.assert_close(every.inputs[is_observation], some.inputs)
    torch.testing.assert_close(every.outputs[is_observation], some.outputs)


def test_only_chosen_tokens_are_written_anew(model, windows, items):
    seen = {}
    watching = [
        (f"blocks.0.hook_resid_{moment}", lambda activation, moment=moment, **_: seen.update({moment: activation}))
        for moment in ("mid", "post")
    ]
    silenced = MlpSplice(model, 0, torch.zeros_like, real_observations)(windows)
    model.run_with_hooks(windows, items, fwd_hooks=[*silenced, *watching])
    is_unchanged = (seen["post"] == seen["mid"]).all(dim=2)
    assert torch.equal(is_unchanged, real_observations(model, windows))


def test_the_layer_put_in_its_own_place_changes_nothing(variant, windows, items):
    with torch.no_grad():
        plain = variant(windows, items)[windows.mask]
    for layer, block in enumerate(variant.layers):
        same = logits_with_hooks(
            variant, windows, items, MlpSplice(variant, layer, lambda rows, mlp=block.mlp: mlp.fused(rows[None])[0])
        )
        torch.testing.assert_close(same, plain, atol=1e-4, rtol=1e-4)


def test_zeros_in_its_place_are_an_ablation(model, windows, items):
    block = model.layers[1]
    found = logits_with_hooks(model, windows, items, MlpSplice(model, 1, torch.zeros_like))
    with torch.no_grad():
        for weight in (block.mlp.W_out, block.mlp.b_out):
            weight.zero_()
        ablated = model(windows, items)[windows.mask]
    torch.testing.assert_close(found, ablated, atol=1e-4, rtol=1e-4)


def test_without_an_edit_nothing_listens(model, windows):
    assert MlpSplice(model, 0, None)(windows) == []


def test_a_layer_that_is_not_there_is_refused(model, windows, items):
    with pytest.raises(UserError, match="the layer is 2, expected 0 to 1"):
        harvest_mlp(model, windows, items, 2)


@pytest.mark.parametrize("site", ["blocks.1.hook_resid_mid", "blocks.1.ln2.hook_normalized", "blocks.1.ln2.hook_scale"])
def test_what_other_hooks_change_on_the_way_is_read(model, windows, items, site):
    def louder(activation, **_):
        return 1.5 * activation

    mlp = model.layers[1].mlp
    itself = MlpSplice(model, 1, lambda rows: mlp.fused(rows[None])[0])(windows)
    orders = [[(site, louder), *itself]]
    if site != "blocks.1.ln2.hook_normalized":  # where it reads, it sees what was changed before
        orders.append([*itself, (site, louder)])
    with torch.no_grad():
        changed = model.run_with_hooks(windows, items, fwd_hooks=[(site, louder)])[windows.mask]
        for hooks in orders:
            both = model.run_with_hooks(windows, items, fwd_hooks=hooks)[windows.mask]
            torch.testing.assert_close(both, changed, atol=1e-4, rtol=1e-4)
