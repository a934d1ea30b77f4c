import torch

from dtinterp.adversaries.cell_model import PSEUDO_COUNT, cell_model, contents


def test_contents_tell_everything_apart_that_a_cell_can_hold():
    cells = torch.cartesian_prod(torch.arange(11), torch.arange(6), torch.arange(3)).to(torch.uint8)
    assert len(contents(cells[:, None, None]).unique()) == 11 * 6 * 3


def test_chances_are_the_counted_shares(trajectories):
    model, time = cell_model(trajectories, longest=4), 2
    n_contents = len(model.known) + 1
    shown = trajectories.frames[trajectories.frame_id[trajectories.time == time].long()]
    frames = trajectories.frames[:6]
    found = model.log_likelihood(frames[:, None], torch.tensor([time]))[:, 0]
    for frame, chances in zip(frames, found, strict=True):
        for cell, chance in enumerate(chances.tolist()):
            x, y = divmod(cell, 7)
            n_alike = int((shown[:, x, y] == frame[x, y]).all(-1).sum())
            expected = (n_alike + PSEUDO_COUNT / n_contents) / (len(shown) + PSEUDO_COUNT)
            assert abs(chance - torch.tensor(expected).log()) < 1e-6


def test_chances_add_up_to_one_and_what_was_never_seen_has_the_least(trajectories):
    model = cell_model(trajectories, longest=4)
    torch.testing.assert_close(model.log_chance.exp().sum(-1), torch.ones(5, 49, dtype=torch.float64))
    strange = trajectories.frames[:1].clone()
    strange[..., 0] = 9
    assert (model.log_likelihood(strange[:, None], torch.tensor([0])) == model.log_chance[0, :, -1]).all()
    assert (model.log_chance[..., -1:] <= model.log_chance).all()


def test_late_times_count_as_the_last(trajectories):
    early, late = (cell_model(trajectories, longest=longest) for longest in (3, 50))
    frame = trajectories.frames[:1, None]
    found = early.log_likelihood(frame, torch.tensor([40]))
    assert torch.equal(found, early.log_likelihood(frame, torch.tensor([3])))
    assert not torch.equal(found, late.log_likelihood(frame, torch.tensor([3])))
