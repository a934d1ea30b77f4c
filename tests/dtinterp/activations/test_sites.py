import copy
import math

import pytest
import torch

from dtinterp.activations.sites import (
    OBSERVATION_EMBEDDING,
    between_blocks,
    check_site,
    is_of_stream,
    require_meaning,
    shape_at,
    sites_of,
    slots_at,
    splice,
)
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import ModelConfig

OBSERVATIONS = ModelConfig().observation_tokens
SITES = (
    "hook_obs_embed",
    "blocks.0.hook_resid_pre",
    "blocks.0.hook_resid_mid",
    "blocks.0.hook_resid_post",
    "blocks.1.hook_resid_pre",
    "blocks.1.hook_resid_mid",
    "blocks.1.hook_resid_post",
)


def run(model, windows, items, *hooks):
    with torch.no_grad():
        return model.run_with_hooks(windows, items, fwd_hooks=list(hooks))


def test_a_models_sites_are_its_hooks_the_embedding_and_the_residual_stream_first(model):
    assert sites_of(model)[:7] == SITES
    assert set(sites_of(model)) == set(model.hook_dict)
    assert between_blocks(model) == tuple(site for site in SITES if "mid" not in site)


@pytest.mark.parametrize("site", ["", "blocks.2.hook_resid_pre", "blocks.0.attn.hook_nothing"])
def test_another_place_is_no_site(model, site):
    with pytest.raises(
        UserError, match=f"the site is '{site}', expected one of hook_obs_embed, blocks.0.hook_resid_pre"
    ):
        check_site(model, site)


@pytest.mark.parametrize("site", SITES)
def test_a_slot_has_the_vector_of_its_observation_token(model, windows, items, site):
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items)
    vectors = slots_at(site, cache[site], OBSERVATIONS)
    assert vectors.shape == (64, 10, 32)
    for slot in range(10):
        token = slot if site == OBSERVATION_EMBEDDING else 3 * slot + 1
        assert torch.equal(vectors[:, slot], cache[site][:, token])


@pytest.mark.parametrize("site", SITES)
def test_putting_back_what_was_there_changes_nothing(model, windows, items, site):
    listened = run(model, windows, items, (site, lambda *_, **__: None))
    assert torch.equal(run(model, windows, items, splice(site, lambda vectors: vectors, OBSERVATIONS)), listened)


def test_putting_back_what_was_there_changes_nothing_at_any_site(variant, windows, items):
    for site in sites_of(variant):
        listened = run(variant, windows, items, (site, lambda *_, **__: None))
        spliced = run(variant, windows, items, splice(site, lambda vectors: vectors, variant.cfg.observation_tokens))
        assert torch.equal(spliced, listened)


@pytest.mark.parametrize("site", ["blocks.0.attn.hook_q", "blocks.1.attn.hook_result", "blocks.0.attn.hook_pattern"])
def test_the_heads_of_a_slot_stand_one_after_the_other(model, windows, items, site):
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items, names_filter=site)
    rows = slots_at(site, cache[site], OBSERVATIONS)
    for slot in (0, 9):
        token = 3 * slot + 1
        heads = cache[site][:, :, token] if site.endswith("pattern") else cache[site][:, token]
        assert torch.equal(rows[:, slot], heads.flatten(1))


@pytest.mark.parametrize("site", ["blocks.0.attn.hook_z", "blocks.1.mlp.hook_post", "blocks.1.attn.hook_pattern"])
def test_a_splice_at_one_slot_leaves_the_logits_of_earlier_slots(model, windows, items, site):
    def push_slot_six(vectors):
        pushed = vectors.clone()
        pushed[:, 6] += 0.5
        return pushed

    plain, spliced = run(model, windows, items), run(model, windows, items, splice(site, push_slot_six, OBSERVATIONS))
    full = windows.mask.all(1)
    torch.testing.assert_close(spliced[:, :6][windows.mask[:, :6]], plain[:, :6][windows.mask[:, :6]])
    assert not torch.isclose(spliced[full, 6], plain[full, 6], atol=1e-4).all(dim=1).any()


def test_two_splices_at_one_site_act_one_after_the_other(model, windows, items):
    site = "blocks.0.hook_mlp_out"

    def double(vectors):
        return 2 * vectors

    def raised(vectors):
        return vectors + 1.0

    both = run(model, windows, items, splice(site, double, OBSERVATIONS), splice(site, raised, OBSERVATIONS))
    at_once = run(model, windows, items, splice(site, lambda vectors: raised(double(vectors)), OBSERVATIONS))
    torch.testing.assert_close(both, at_once)
    assert not torch.allclose(
        both, run(model, windows, items, splice(site, raised, OBSERVATIONS), splice(site, double, OBSERVATIONS))
    )


def test_a_splice_and_a_users_own_hook_both_act(model, windows, items):
    def silence_a_head(z, **_):
        z[:, :, 0] = 0.0
        return z

    def raised(vectors):
        return vectors + 1.0

    own, ours = ("blocks.0.attn.hook_z", silence_a_head), splice("blocks.1.hook_resid_pre", raised, OBSERVATIONS)
    both = run(model, windows, items, own, ours)
    weights = model.state_dict()
    weights["blocks.0.attn.W_O"] = weights["blocks.0.attn.W_O"].clone()
    weights["blocks.0.attn.W_O"][0] = 0.0
    silent = copy.deepcopy(model)
    silent.load_state_dict(weights)
    torch.testing.assert_close(both, run(silent, windows, items, ours), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("site", SITES)
def test_only_observation_tokens_are_edited(model, windows, items, site):
    seen = []

    def look(activation, **_):
        seen.append(activation.clone())

    plain = run(model, windows, items, (site, look))
    edited = run(model, windows, items, splice(site, lambda vectors: vectors + 1.0, OBSERVATIONS), (site, look))
    before, after = seen
    changed = (after != before).any(-1)
    expected = torch.ones_like(changed)
    if site != OBSERVATION_EMBEDDING:
        expected = (torch.arange(29) % 3 == 1).expand_as(changed)
    assert torch.equal(changed, expected)
    torch.testing.assert_close(slots_at(site, after, OBSERVATIONS), slots_at(site, before, OBSERVATIONS) + 1.0)
    assert not torch.allclose(plain[windows.mask], edited[windows.mask])


def test_a_clone_is_edited_at_its_own_observation_tokens(draw_model, windows, items):
    clone, site, seen = draw_model(return_to_go=False), "blocks.1.hook_resid_pre", []
    run(clone, windows, items, (site, lambda activation, **_: seen.append(activation.clone())))
    pushing = splice(site, lambda vectors: vectors + 1.0, clone.cfg.observation_tokens)
    run(clone, windows, items, pushing, (site, lambda activation, **_: seen.append(activation.clone())))
    changed = (seen[1] != seen[0]).any(-1)
    assert torch.equal(changed, (torch.arange(19) % 2 == 0).expand_as(changed))


def test_every_site_knows_the_shape_of_what_one_observation_has_there(model, windows, items):
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items)
    for site in sites_of(model):
        if site in cache:  # what each head writes is made only for who asks
            rows = slots_at(site, cache[site], model.cfg.observation_tokens)
            assert rows.shape[2] == math.prod(shape_at(model, site)), site
    assert shape_at(model, "blocks.0.attn.hook_z") == (model.cfg.n_heads, model.cfg.d_head)


def test_a_vector_of_the_stream_is_none_of_the_heads_although_it_is_as_long(model):
    stream, heads = "blocks.1.hook_resid_pre", "blocks.0.attn.hook_z"
    assert math.prod(shape_at(model, heads)) == math.prod(shape_at(model, stream))
    require_meaning(model, OBSERVATION_EMBEDDING, stream)
    require_meaning(model, heads, heads)
    assert is_of_stream("blocks.0.hook_mlp_out")
    for found, used in ((OBSERVATION_EMBEDDING, heads), (heads, stream), (heads, "blocks.1.attn.hook_z")):
        with pytest.raises(UserError, match="use it at a site where it means the same"):
            require_meaning(model, found, used)
