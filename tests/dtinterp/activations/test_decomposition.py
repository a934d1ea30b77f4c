from pathlib import Path

import pytest
import torch

from dtinterp.activations.decomposition import ByComponent, ByFeature, ByHead, ByItem, ByNeuron, decompose
from dtinterp.activations.sites import slots_at, splice, stream_sites
from dtinterp.dataset.packing import last_slots
from dtinterp.dictionary.dictionary import encode_dense
from dtinterp.dictionary.storage import load_dictionary
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.frames import ordinal
from dtinterp.model.storage import load_model

CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"
SHIPPED = CHECKPOINTS / "models" / "memory-dt"
DICTIONARIES = CHECKPOINTS / "studies" / "memory-dt" / "dictionaries"
GRAINS = [ByComponent(), ByHead(), ByNeuron(), ByItem()]


def drawn_features(model, windows, site, n_features=20):
    rng = torch.Generator().manual_seed(4)
    W_dec = torch.randn(n_features, model.cfg.d_model, generator=rng)
    return ByFeature(site, W_dec, torch.randn(*windows.mask.shape, n_features, generator=rng).relu())


def largest(parts):
    """The rounding that float32 logits of such parts must be granted: they may cancel."""
    return max(1.0, float(parts.value.abs().max()))


@pytest.mark.parametrize("grain", GRAINS, ids=lambda grain: type(grain).__name__)
def test_the_parts_add_up_to_the_logits_of_every_kind_of_model(variant, windows, items, grain):
    parts = decompose(variant, windows, items, grain)
    assert parts.residue < 1e-4 * largest(parts)
    assert len(parts.name) == len(set(parts.name)) == len(parts.value)
    with torch.no_grad():
        torch.testing.assert_close(parts.logits, variant(windows, items), atol=1e-4, rtol=1e-4)


def test_the_features_of_every_site_of_the_stream_and_the_rest_add_up_too(variant, windows, items):
    for site in stream_sites(variant):
        parts = decompose(variant, windows, items, drawn_features(variant, windows, site))
        assert parts.residue < 1e-4 * largest(parts)
        assert parts.name[:2] == ("feature 0", "feature 1")


@pytest.mark.parametrize("grain", GRAINS, ids=lambda grain: type(grain).__name__)
def test_the_parts_of_a_model_that_ships_miss_its_logits_by_rounding_alone(windows, items, grain):
    assert decompose(load_model(SHIPPED).model, windows, items, grain).residue < 1e-4


@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_pre"])
def test_the_features_of_a_dictionary_that_ships_miss_the_logits_by_rounding_alone(windows, items, site):
    model, dictionary = load_model(SHIPPED).model, load_dictionary(DICTIONARIES / site / "topk-512-k8")
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items, names_filter=site)
    rows = slots_at(site, cache[site], model.cfg.observation_tokens).flatten(0, 1)
    code = encode_dense(dictionary, rows).view(*windows.mask.shape, -1)
    parts = decompose(model, windows, items, ByFeature(site, dictionary.scale * dictionary.W_dec, code))
    assert parts.residue < 1e-4
    rest = parts.value[parts.name.index("rest")]
    assert rest[windows.mask].abs().mean() < parts.logits[windows.mask].abs().mean()  # features carry the logits


@pytest.mark.parametrize("grain", GRAINS, ids=lambda grain: type(grain).__name__)
def test_the_parts_of_the_published_model_miss_its_logits_by_rounding_alone(published, windows, items, grain):
    assert decompose(published, last_slots(windows, 9), items, grain).residue < 1e-4


def slow_contribution(model, row, scale):
    """What one vector adds to the logits where the norm's scale is known, number by number."""
    kind = model.cfg.normalization_type
    mean = sum(row) / len(row) if kind.startswith("LN") else 0.0
    weights = dict(model.ln_final.named_parameters())
    total = torch.zeros(model.cfg.n_actions)
    for column, number in enumerate(row):
        weight = weights["w"][column] if "w" in weights else 1.0
        total = total + (number - mean) / scale * weight * model.W_U[column]
    return total


@torch.no_grad()
def test_what_a_component_adds_is_what_the_formula_says(variant, windows, items):
    parts = decompose(variant, windows, items, ByComponent())
    _, cache = variant.run_with_cache(windows, items)
    written = slots_at("blocks.1.hook_mlp_out", cache["blocks.1.hook_mlp_out"], variant.cfg.observation_tokens)
    scales = cache["ln_final.hook_scale"][:, variant.cfg.observation_tokens] if "ln_final.hook_scale" in cache else None
    for batch, slot in ((0, 9), (7, 5), (30, 0)):
        scale = 1.0 if scales is None else scales[batch, slot, 0]
        expected = slow_contribution(variant, written[batch, slot], scale)
        found = parts.value[parts.name.index("1_mlp_out"), batch, slot]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_parts_are_named_in_the_order_in_which_they_are_written(draw_model, windows, items):
    model = draw_model(position_embedding=True)
    whole = ("obs_embed", "time_embed", "pos_embed", "0_attn_out", "0_mlp_out", "1_attn_out", "1_mlp_out", "bias")
    assert decompose(model, windows, items, ByComponent()).name == whole
    heads = decompose(model, windows, items, ByHead()).name
    assert heads[3:7] == ("L0H0", "L0H1", "0_b_O", "0_mlp_out")
    neurons = decompose(model, windows, items, ByNeuron()).name
    assert neurons[4:6] == ("L0N0", "L0N1")
    assert neurons[-3:] == ("L1N23", "1_b_out", "bias")
    shown = decompose(model, windows, items, ByItem()).name
    assert shown[:2] == ("item 0", "item 1")
    assert shown[979:983] == ("item 979", "rest", "time_embed", "pos_embed")


@pytest.mark.parametrize(
    ("grain", "coarse"), [(ByHead(), "attn_out"), (ByNeuron(), "mlp_out"), (ByItem(), "obs_embed")]
)
def test_finer_parts_add_up_to_the_coarser_one(variant, windows, items, grain, coarse):
    whole, fine = decompose(variant, windows, items, ByComponent()), decompose(variant, windows, items, grain)
    kept = [name for name in whole.name if not name.endswith(coarse)]
    for name in kept:
        ours = fine.value[fine.name.index(name)]
        torch.testing.assert_close(ours, whole.value[whole.name.index(name)], atol=1e-4, rtol=1e-4)
    split = sum(whole.value[index] for index, name in enumerate(whole.name) if name not in kept)
    pieces = sum(fine.value[index] for index, name in enumerate(fine.name) if name not in kept)
    torch.testing.assert_close(pieces, split, atol=2e-4, rtol=1e-4)


def test_an_item_that_is_not_in_the_frame_adds_nothing(variant, windows, items):
    parts = decompose(variant, windows, items, ByItem())
    shown = items[windows.frame_id]
    if variant.cfg.attend_to_padding:
        shown = shown * windows.mask[..., None]
    for item in (0, 150, 264, 979):
        assert torch.equal(parts.value[item].abs().sum(-1) > 0, shown[..., item] > 0)
    assert parts.value[parts.name.index("rest")].abs().max() < 1e-4


def test_ordinal_frames_are_taken_apart_into_their_numbers(draw_model, trajectories, windows):
    parts = decompose(draw_model(n_items=147), windows, ordinal(trajectories.frames), ByItem())
    assert parts.name[146:148] == ("item 146", "rest")
    assert parts.residue < 1e-4 * largest(parts)


def test_a_silenced_neuron_of_the_last_layer_takes_just_its_part_away(variant, windows, items):
    neuron = 5
    intact = decompose(variant, windows, items, ByNeuron())
    held = []

    def silence(post, **_):
        post[..., neuron] = 0.0
        return post

    def remember(scale, **_):
        held.append(scale)

    def hold(_, **__):
        return held[0]

    def run(*hooks):
        existing = [hook for hook in hooks if hook[0] in variant.hook_dict]
        with torch.no_grad():
            return variant.run_with_hooks(windows, items, fwd_hooks=existing)

    run(("ln_final.hook_scale", remember))
    changed = run(("blocks.1.mlp.hook_post", silence), ("ln_final.hook_scale", hold))
    lost = intact.value[intact.name.index(f"L1N{neuron}")]
    torch.testing.assert_close(intact.logits - changed, lost, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.0.hook_resid_post", "blocks.1.hook_resid_pre"])
def test_a_spliced_dictionary_leaves_nothing_but_its_bias_to_the_rest(variant, windows, items, site):
    grain = drawn_features(variant, windows, site)
    bias = torch.randn(variant.cfg.d_model, generator=torch.Generator().manual_seed(5))
    decoded = grain.value @ grain.W_dec + bias
    hook = splice(site, lambda _: decoded, variant.cfg.observation_tokens)
    parts = decompose(variant, windows, items, grain, hooks=[hook])
    with torch.no_grad():
        spliced = variant.run_with_hooks(windows, items, fwd_hooks=[hook])
    torch.testing.assert_close(parts.logits, spliced, atol=1e-5, rtol=1e-5)
    assert parts.residue < 1e-4 * largest(parts)
    doubled = decompose(
        variant, windows, items, ByFeature(site, bias[None], torch.ones(*windows.mask.shape, 1)), hooks=[hook]
    )
    rest = parts.value[parts.name.index("rest")]
    torch.testing.assert_close(doubled.value[0], rest, atol=2e-4, rtol=1e-3)


def test_no_hook_stays_behind(model, windows, items):
    decompose(model, windows, items, ByHead())
    assert not model.is_listened_to()


def test_features_of_other_windows_are_refused(model, windows, items):
    grain = drawn_features(model, windows, "hook_obs_embed")
    with pytest.raises(UserError, match=r"values of shape \(64, 10, 20\) .*, expected \(9, 10, 20\) and \(20, 32\)"):
        decompose(model, windows[:9], items, grain)
    narrow = ByFeature("hook_obs_embed", grain.W_dec[:, :7], grain.value)
    with pytest.raises(UserError, match=r"directions of shape \(20, 7\), expected \(64, 10, 20\) and \(20, 32\)"):
        decompose(model, windows, items, narrow)


def test_features_of_no_site_are_refused(model, windows, items):
    with pytest.raises(UserError, match=r"the site is .blocks\.0\.hook_mlp_out., expected one of hook_obs_embed"):
        decompose(model, windows, items, drawn_features(model, windows, "blocks.0.hook_mlp_out"))
