from dataclasses import replace

import pytest
import torch

from dtinterp.activations.harvest import harvest
from dtinterp.adversaries.edited_window import EditedWindow
from dtinterp.dataset.windows import Windows
from dtinterp.model.network.frames import encoded

SETS = torch.tensor([[0, -1], [6, 30], [13, 21], [35, 14]])


def _edited(view, table, sets) -> tuple[Windows, torch.Tensor]:
    windows = view.window[torch.zeros(len(sets), dtype=torch.int64)]
    real = torch.arange(len(sets) * 5).reshape(len(sets), 5)
    frame_id = torch.cat([torch.zeros(len(sets), 5, dtype=torch.int64), real], dim=1)
    return replace(windows, frame_id=frame_id), encoded(table.edited(sets).flatten(0, 1), 980)


def _added(window, table, sets):
    padded = torch.cat([window.differences(table), torch.zeros(1, 5, window.model.cfg.d_model)])
    return padded[sets].sum(1)


@torch.no_grad()
@pytest.mark.parametrize("source", ["world", "frame", "item"])
def test_logits_are_those_of_the_whole_edited_window(variant, view, tables, source):
    table, window = tables[source], EditedWindow(variant, view)
    sets = SETS[table.are_apart(SETS)]
    first = torch.where(sets >= 0, table.first[sets], 4).min(1).values
    found = window.logits(_added(window, table, sets), first)
    torch.testing.assert_close(found, variant(*_edited(view, table, sets))[:, -1], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(window.original, variant(*_edited(view, table, SETS[:1] * 0 - 1))[0, -1])


@pytest.mark.parametrize("site", ["hook_obs_embed", "blocks.1.hook_resid_pre", "blocks.1.mlp.hook_post"])
def test_rows_are_those_of_the_whole_edited_window(random_model, view, tables, site):
    table, window = tables["world"], EditedWindow(random_model, view)
    sets = SETS[table.are_apart(SETS)]
    rows = harvest(random_model, *_edited(view, table, sets), site)
    for slot in (0, 3):
        found = window.rows(_added(window, table, sets), site, slot)
        expected = rows.value[rows.slot == 5 + slot]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_gradients_are_slopes(random_model, view):
    window = EditedWindow(random_model, view)
    at = torch.zeros(1, 5, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(window.logits(at, torch.tensor([0]))[0, 1], at)
    step = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(0)) * 1e-2
    with torch.no_grad():
        up, down = (float(window.logits(sign * step, torch.tensor([0]))[0, 1]) for sign in (1, -1))
    assert float((gradient * step).sum()) == pytest.approx((up - down) / 2, rel=0.05)
