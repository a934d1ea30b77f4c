import pytest
import torch

from dtinterp.dataset.windows import window
from dtinterp.equivalence.history_storage import load_history, save_history
from dtinterp.equivalence.over_training import HistoryConfig, HistoryInputs, follow
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.transformer import DecisionTransformer


def test_a_history_reads_back_as_it_was(model, trajectories, halves, items, tmp_path):
    ground = HistoryInputs(trajectories, halves.held_out, items, window(trajectories, halves.held_out[:50], 10))
    fresh = DecisionTransformer(model.cfg, generator(3, "fresh"))
    history = follow({0: fresh, 9: model}, ground, HistoryConfig(n_frames=6, n_contexts=2, n_halves=2))
    written = save_history(tmp_path / "history", history, parents=())
    read = load_history(tmp_path / "history")
    assert read.moments == history.moments
    assert (read.env_id, read.config) == (history.env_id, history.config)
    assert torch.equal(read.label, history.label)
    assert torch.equal(read.chosen.frame_id, history.chosen.frame_id)
    assert torch.equal(written.tensors["together_since"], history.together_since())
    with pytest.raises(UserError, match="history"):
        save_history(tmp_path / "history", history, parents=())
