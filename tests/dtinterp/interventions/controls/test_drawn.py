import torch

from dtinterp.interventions.controls.drawn import directions_of_differences, random_directions


def test_random_directions_have_length_one_and_no_preference() -> None:
    drawn = random_directions(4000, 8, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(4000))
    assert drawn.mean(dim=0).norm() < 0.05
    torch.testing.assert_close(drawn.T @ drawn / 4000, torch.eye(8) / 8, atol=0.01, rtol=0)


def test_equal_generators_draw_equal_directions() -> None:
    first, second = (random_directions(3, 5, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second)


def test_random_directions_lie_where_frames_differ_and_most_where_they_differ_most() -> None:
    """Planted: frames differ in two of eight coordinates, ten times as much in the first."""
    rng = torch.Generator().manual_seed(0)
    deviation = torch.zeros(40, 8)
    deviation[:, :2] = torch.randn(40, 2, generator=rng) * torch.tensor([10.0, 1.0])
    found = directions_of_differences(deviation, 500, rng)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(500))
    assert not found[:, 2:].any()
    assert (found[:, 0].abs() > found[:, 1].abs()).float().mean() > 0.85
