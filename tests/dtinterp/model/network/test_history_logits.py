"""Logits of histories with shared prefixes, against the model run on the whole window of each."""

from dataclasses import replace

import pytest
import torch

from dtinterp.agents.policy import PAD_ACTION
from dtinterp.dataset.windows import Windows, concatenate
from dtinterp.foundation.jobs.job_cache import open_job_cache
from dtinterp.foundation.seeding import generator
from dtinterp.model.config import ModelConfig
from dtinterp.model.network import history_logits as module
from dtinterp.model.network.history_logits import Asked, history_logits
from dtinterp.model.network.prefix_tree import ROOT, prefix_tree
from dtinterp.model.network.transformer import DecisionTransformer

N_FRAMES, ASKED = 6, 0.892
SHARED = {
    "plain": {},
    "bare": {"normalization_type": "none", "time_embedding": False},
    "gated": {"gated_mlp": True, "normalization_type": "RMSPre"},
    "behaviour cloning": {"return_to_go": False},
    "one slot": {"n_slots": 1},
}
WHOLE = {"positions": {"position_embedding": True}, "pads attended to": {"attend_to_padding": True}}


def _model(**parts) -> DecisionTransformer:
    config = ModelConfig(d_model=16, n_layers=3, n_heads=2, d_mlp=8, n_items=30, n_slots=3)
    model = DecisionTransformer(replace(config, **parts), generator(0, "model"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2, generator=generator(1, str(parameter.shape)))
    return model


def _tree(n_times: int):
    """Return parents, actions and frames of histories that branch unevenly, some of them alike."""
    random = generator(n_times, "tree")
    parent, action, first, last = [ROOT] * 3, [-1] * 3, 0, 3
    for _ in range(n_times):
        for node in range(first, last):
            for _ in range(int(torch.randint(4, (), generator=random))):
                parent.append(node)
                action.append(int(torch.randint(7, (), generator=random)))
        first, last = last, len(parent)
    return torch.tensor(parent), torch.tensor(action), torch.randint(N_FRAMES, (len(parent),), generator=random)


def _window(parent, action, frame_id, history, n_slots) -> Windows:
    """Return the window of a history, walked back to slot by slot."""
    frames, actions = [], [PAD_ACTION]
    while history != ROOT:
        frames.insert(0, int(frame_id[history]))
        if parent[history] != ROOT:
            actions.insert(0, int(action[history]))
        history = int(parent[history])
    n_real, time = min(len(frames), n_slots), len(frames) - 1
    n_pads = n_slots - n_real
    mask = torch.arange(n_slots)[None] >= n_pads
    return Windows(
        rtg=torch.full((1, n_slots), ASKED) * mask,
        frame_id=torch.tensor([[0] * n_pads + frames[-n_real:]]),
        action=torch.tensor([[PAD_ACTION] * n_pads + actions[-n_real:]]),
        time=torch.tensor([[0] * n_pads + list(range(time + 1 - n_real, time + 1))]),
        mask=mask,
        step=torch.full((1, n_slots), -1),
    )


@pytest.fixture(scope="module")
def items() -> torch.Tensor:
    return torch.rand(N_FRAMES, 30, generator=generator(0, "items"))


def _expected(model, tree, items):
    parent, action, frame_id = tree
    windows = [_window(parent, action, frame_id, history, model.cfg.n_slots) for history in range(len(parent))]
    with torch.no_grad():
        return model(concatenate(windows), items)[:, -1]


@pytest.mark.parametrize("parts", [*SHARED.values(), *WHOLE.values()], ids=[*SHARED, *WHOLE])
def test_it_is_every_window_computed_anew(parts, items):
    model, tree = _model(**parts), _tree(4)  # longer than the window
    found = history_logits(Asked(model, items, ASKED), prefix_tree(*tree))
    torch.testing.assert_close(found, _expected(model, tree, items), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("parts", [*SHARED.values(), *WHOLE.values()], ids=[*SHARED, *WHOLE])
def test_prefixes_are_shared_where_that_is_valid(parts, items, monkeypatch):
    called = []
    monkeypatch.setattr(
        module, "_by_window", lambda _asked, _tree, node, time: called.append(time) or torch.zeros(len(node), 7)
    )
    model = _model(**parts)
    history_logits(Asked(model, items, ASKED), prefix_tree(*_tree(4)))
    n_shared = 0 if parts in WHOLE.values() else model.cfg.n_slots
    assert called == list(range(n_shared, 5))


def test_batches_and_pieces_are_no_matter(items, monkeypatch):
    asked, histories = Asked(_model(), items, ASKED), prefix_tree(*_tree(4))
    whole = history_logits(asked, histories)
    monkeypatch.setattr(module, "BATCH", 11)
    monkeypatch.setattr(module, "IN_A_PIECE", 20)
    torch.testing.assert_close(history_logits(asked, histories), whole, atol=1e-5, rtol=1e-5)


def test_a_hook_sees_whole_windows_and_what_it_changes_counts(items):
    model, tree = _model(), _tree(2)
    plain = history_logits(Asked(model, items, ASKED), prefix_tree(*tree))
    with model.hooks(fwd_hooks=[("blocks.1.hook_resid_pre", lambda x, **_: x * 0)]):
        found = history_logits(Asked(model, items, ASKED), prefix_tree(*tree))
        torch.testing.assert_close(found, _expected(model, tree, items), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, plain)


def test_pieces_that_are_kept_are_not_computed_again(items, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "IN_A_PIECE", 20)
    asked, histories = Asked(_model(), items, ASKED), prefix_tree(*_tree(4))
    cache = open_job_cache(tmp_path, {"model": "tiny"})
    found = history_logits(asked, histories, cache=cache)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    monkeypatch.setattr(module, "_followed", lambda _asked, _tree: pytest.fail("computed again"))
    assert torch.equal(history_logits(asked, histories, cache=cache), found)
