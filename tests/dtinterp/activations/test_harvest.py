import pytest
import torch

from dtinterp.activations import harvest as harvest_module
from dtinterp.activations.harvest import harvest, harvest_sites, logits_at_rows
from dtinterp.activations.sites import slots_at, splice
from dtinterp.foundation.errors import UserError

SITES = ("hook_obs_embed", "blocks.0.hook_resid_pre", "blocks.1.hook_resid_post")


@pytest.fixture(autouse=True)
def _several_batches(monkeypatch):
    monkeypatch.setattr(harvest_module, "BATCH", 23)


@pytest.mark.parametrize("site", SITES)
def test_rows_are_those_of_the_cache_and_know_where_they_came_from(model, windows, items, site):
    with torch.no_grad():
        _, cache = model.run_with_cache(windows, items)
    rows = harvest(model, windows, items, site)
    expected = [
        (slots_at(site, cache[site], model.cfg.observation_tokens)[batch, slot], int(windows.step[batch, slot]), slot)
        for batch in range(len(windows))
        for slot in range(10)
        if windows.mask[batch, slot]
    ]
    values, steps, slots = zip(*expected, strict=True)
    torch.testing.assert_close(rows.value, torch.stack(values), atol=1e-5, rtol=1e-5)
    assert rows.step.tolist() == list(steps)
    assert rows.slot.tolist() == list(slots)
    assert rows.site == site


@pytest.mark.parametrize("site", SITES)
def test_the_rows_of_a_clone_stand_at_its_own_observation_tokens(draw_model, windows, items, site):
    clone = draw_model(return_to_go=False)
    with torch.no_grad():
        _, cache = clone.run_with_cache(windows, items)
    at_slots = cache[site] if site == SITES[0] else cache[site][:, ::2]
    torch.testing.assert_close(harvest(clone, windows, items, site).value, at_slots[windows.mask])
    plain = logits_at_rows(clone, windows, items, site=site, edit=None)
    same = logits_at_rows(clone, windows, items, site=site, edit=lambda rows: rows)
    torch.testing.assert_close(same, plain, atol=1e-5, rtol=1e-5)


def test_a_rows_step_leads_back_to_the_frame_it_embeds(model, trajectories, windows, items):
    rows = harvest(model, windows, items, "hook_obs_embed")
    frames = items[trajectories.frame_id[rows.step].long()]
    torch.testing.assert_close(rows.value, frames @ model.W_obs.detach(), atol=1e-5, rtol=1e-5)


def test_several_sites_are_harvested_in_one_pass(model, windows, items, monkeypatch):
    passes = []
    run = model.run_with_hooks

    def counted(*arguments, **hooks):
        passes.append(hooks)
        return run(*arguments, **hooks)

    monkeypatch.setattr(model, "run_with_hooks", counted)
    harvest(model, windows, items, SITES[0])
    for_one = len(passes)
    found = harvest_sites(model, windows, items, SITES)
    assert len(passes) == 2 * for_one
    for site, rows in zip(SITES, found, strict=True):
        alone = harvest(model, windows, items, site)
        assert rows.site == site
        assert torch.equal(rows.value, alone.value)
        assert torch.equal(rows.step, alone.step)
        assert torch.equal(rows.slot, alone.slot)


def test_without_an_edit_the_logits_are_the_models_own(model, windows, items):
    with torch.no_grad():
        plain = model(windows, items)[windows.mask]
    logits = logits_at_rows(model, windows, items, site=SITES[1], edit=None)
    torch.testing.assert_close(logits, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("site", SITES)
def test_the_edit_sees_the_harvested_rows_in_their_order(model, windows, items, site):
    seen = []

    def look(rows):
        seen.append(rows)
        return rows

    logits = logits_at_rows(model, windows, items, site=site, edit=look)
    assert torch.equal(torch.cat(seen), harvest(model, windows, items, site).value)
    assert len(logits) == int(windows.mask.sum())
    plain = logits_at_rows(model, windows, items, site=site, edit=None)
    torch.testing.assert_close(logits, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("site", SITES)
def test_edited_rows_go_back_to_where_they_came_from(model, windows, items, site):
    direction = torch.randn(32, generator=torch.Generator().manual_seed(0))

    def push(vectors):
        return vectors + vectors[..., :1].tanh() * direction

    with torch.no_grad():
        expected = model.run_with_hooks(windows, items, fwd_hooks=[splice(site, push, model.cfg.observation_tokens)])[
            windows.mask
        ]
    logits = logits_at_rows(model, windows, items, site=site, edit=push)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(logits, logits_at_rows(model, windows, items, site=site, edit=None))


def test_no_hook_stays_behind(model, windows, items):
    harvest(model, windows, items, SITES[1])
    logits_at_rows(model, windows, items, site=SITES[1], edit=torch.zeros_like)
    assert not model.is_listened_to()


def test_there_must_be_windows(model, windows, items):
    with pytest.raises(UserError, match="there are no windows to run the model on: choose at least one"):
        harvest(model, windows[:0], items, SITES[0])


def test_an_unknown_site_is_refused_before_anything_runs(model, windows, items):
    with pytest.raises(UserError, match=r"the site is 'blocks.9.hook_resid_pre', expected one of"):
        harvest(model, windows, items, "blocks.9.hook_resid_pre")
    with pytest.raises(UserError, match="the site is 'nowhere', expected one of"):
        logits_at_rows(model, windows, items, site="nowhere", edit=None)


def test_a_site_may_be_asked_for_twice(model, windows, items):
    one, other = harvest_sites(model, windows, items, (SITES[0], SITES[0]))
    assert torch.equal(one.value, other.value)
