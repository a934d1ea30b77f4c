import pytest
import torch
from scipy.spatial.distance import jensenshannon

from dtinterp.equivalence.truth.demonstrated import demonstrated
from dtinterp.foundation.errors import UserError


def test_it_is_the_divergence_of_the_shares_of_actions(trajectories):
    frames = torch.bincount(trajectories.frame_id.long()).argsort(descending=True)[:6]
    found = demonstrated(trajectories, frames)
    shares = []
    for frame in frames.tolist():
        actions = trajectories.action[trajectories.frame_id == frame].long()
        shares.append(torch.bincount(actions, minlength=7).double() / len(actions))
    for a in range(6):
        for b in range(6):
            expected = jensenshannon(shares[a], shares[b], base=2) ** 2 if a != b else 0.0
            assert float(found.maximum[a, b]) == pytest.approx(expected, abs=1e-6)
    assert found.n_contexts[0, 5] == (trajectories.frame_id == frames[5]).sum()


def test_frames_at_which_nothing_in_common_was_done_are_one_bit_apart(trajectories):
    from dataclasses import replace

    opposite = replace(trajectories, action=(trajectories.frame_id % 2).to(torch.int8))
    frames = torch.bincount(trajectories.frame_id.long()).argsort(descending=True)[:8]
    found = demonstrated(opposite, frames).maximum
    differs = (frames[:, None] % 2) != (frames % 2)
    assert torch.equal(found, differs.float())


def test_a_frame_that_nobody_was_shown_is_refused(trajectories):
    from dataclasses import replace

    more = replace(trajectories, frames=torch.cat([trajectories.frames, trajectories.frames[:1]]))
    with pytest.raises(UserError, match=f"frame {len(trajectories.frames)} is shown by no demonstration"):
        demonstrated(more, torch.tensor([0, len(trajectories.frames)]))
