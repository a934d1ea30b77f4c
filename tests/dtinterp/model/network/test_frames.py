import pytest
import torch

from dtinterp.agents.items import FrameItems
from dtinterp.foundation.errors import UserError
from dtinterp.model.network.frames import coded, encoded, ordinal
from environments.vocabulary import one_hot


def test_each_number_stands_where_one_hot_items_of_its_cell_do(trajectories):
    numbers = ordinal(trajectories.frames)
    assert numbers.shape == (len(trajectories.frames), 147)
    for channel, x, y in ((0, 2, 6), (1, 3, 0), (2, 6, 5)):
        assert torch.equal(numbers[:, 49 * channel + 7 * x + y], trajectories.frames[:, x, y, channel].float())


def test_frames_are_coded_as_the_model_reads_them(trajectories):
    assert torch.equal(coded(trajectories, 980).table, one_hot(trajectories.frames))
    assert torch.equal(coded(trajectories, 147).table, ordinal(trajectories.frames))
    assert torch.equal(encoded(trajectories.frames[:5], 147), ordinal(trajectories.frames[:5]))
    with pytest.raises(UserError, match=r"n_items is 20, expected 980 \(one-hot\) or 147 \(ordinal\)"):
        coded(trajectories, 20)


def test_a_model_of_ordinal_frames_reads_them(draw_model, trajectories, windows):
    model = draw_model(n_items=147)
    numbers = ordinal(trajectories.frames)
    _, cache = model.run_with_cache(windows, numbers)
    expected = numbers[windows.frame_id] @ model.W_obs
    torch.testing.assert_close(cache["hook_obs_embed"], expected, atol=1e-4, rtol=1e-4)


def test_a_table_grows_with_the_frames_that_were_shown(trajectories):
    class Worlds:
        frames = trajectories.frames[:3]

    worlds = Worlds()
    items = FrameItems(worlds, ordinal)
    assert torch.equal(items.table, ordinal(trajectories.frames[:3]))
    worlds.frames = trajectories.frames
    assert torch.equal(items.table, ordinal(trajectories.frames))
