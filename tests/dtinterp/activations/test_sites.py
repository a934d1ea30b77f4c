import pytest
import torch

from dtinterp.activations.sites import OBSERVATION_EMBEDDING, check_site, sites_of, slots_at, splice
from dtinterp.foundation.errors import UserError

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


def test_a_model_has_its_embedding_and_its_residual_stream_as_sites(model):
    assert sites_of(model) == SITES
    assert set(SITES) <= set(model.hook_dict)


@pytest.mark.parametrize("site", ["", "blocks.2.hook_resid_pre", "blocks.0.hook_mlp_out"])
def test_another_place_is_no_site(model, site):
    with pytest.raises(
        UserError, match=f"the site is '{site}', expected one of hook_obs_embed, blocks.0.hook_resid_pre"
    ):
        check_site(model, site)


@pytest.mark.parametrize("site", SITES)
def test_a_slot_has_the_vector_of_its_observation_token(model, windows, items, site):
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items)
    vectors = slots_at(site, cache[site])
    assert vectors.shape == (64, 10, 32)
    for slot in range(10):
        token = slot if site == OBSERVATION_EMBEDDING else 3 * slot + 1
        assert torch.equal(vectors[:, slot], cache[site][:, token])


@pytest.mark.parametrize("site", SITES)
def test_putting_back_what_was_there_changes_nothing(model, windows, items, site):
    listened = run(model, windows, items, (site, lambda *_, **__: None))
    assert torch.equal(run(model, windows, items, splice(site, lambda vectors: vectors)), listened)


@pytest.mark.parametrize("site", SITES)
def test_only_observation_tokens_are_edited(model, windows, items, site):
    seen = []

    def look(activation, **_):
        seen.append(activation.clone())

    plain = run(model, windows, items, (site, look))
    edited = run(model, windows, items, splice(site, lambda vectors: vectors + 1.0), (site, look))
    before, after = seen
    changed = (after != before).any(-1)
    expected = torch.ones_like(changed)
    if site != OBSERVATION_EMBEDDING:
        expected = (torch.arange(29) % 3 == 1).expand_as(changed)
    assert torch.equal(changed, expected)
    torch.testing.assert_close(slots_at(site, after), slots_at(site, before) + 1.0)
    assert not torch.allclose(plain[windows.mask], edited[windows.mask])


def test_a_clone_is_edited_at_its_own_observation_tokens(draw_model, windows, items):
    clone, site, seen = draw_model(return_to_go=False), "blocks.1.hook_resid_pre", []
    run(clone, windows, items, (site, lambda activation, **_: seen.append(activation.clone())))
    pushing = splice(site, lambda vectors: vectors + 1.0, clone.cfg.observation_tokens)
    run(clone, windows, items, pushing, (site, lambda activation, **_: seen.append(activation.clone())))
    changed = (seen[1] != seen[0]).any(-1)
    assert torch.equal(changed, (torch.arange(19) % 2 == 0).expand_as(changed))
