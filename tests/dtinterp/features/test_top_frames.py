import torch

from dtinterp.features import top_frames as module
from dtinterp.features.top_frames import top_frames


def _rows(n_rows: int = 300, n_features: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(n_rows, n_features, generator=generator).relu().round(decimals=1)  # with ties and zeros
    value[:, 4] = 0
    frame_id = torch.randint(12, (n_rows,), generator=generator)
    return value, frame_id, torch.randperm(1000, generator=generator)[:n_rows]


def test_top_frames_are_what_a_slow_loop_finds() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    for feature in range(value.shape[1]):
        best: dict[int, tuple[float, int]] = {}
        for row in range(len(value)):
            active, frame = float(value[row, feature]), int(frame_id[row])
            if active != 0 and (frame not in best or active > best[frame][0]):
                best[frame] = (active, row)
        order = sorted(best, key=lambda frame: (-best[frame][0], frame))[:5]
        padding = [-1] * (5 - len(order))
        assert found.frame[feature].tolist() == order + padding
        assert found.row[feature].tolist() == [best[frame][1] for frame in order] + padding
        assert found.step[feature].tolist() == [int(step[best[frame][1]]) for frame in order] + padding
        torch.testing.assert_close(
            found.value[feature, : len(order)], torch.tensor([best[frame][0] for frame in order])
        )


def test_a_dead_feature_has_no_frames() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=3)
    assert found.frame[4].tolist() == found.step[4].tolist() == [-1, -1, -1]
    assert (found.value[4] == 0).all()


def test_more_places_than_frames_stay_empty() -> None:
    value, frame_id, step = _rows()
    found = top_frames(value, frame_id=frame_id, step=step, n_top=20)
    assert found.frame.shape == (9, 20)
    assert (found.frame[:, 12:] == -1).all()
    assert (found.frame[0, :12].sort().values == torch.arange(12)).all()


def test_a_component_may_be_negative_on_its_best_frames() -> None:
    value = torch.tensor([[-3.0], [-1.0], [-2.0]])
    found = top_frames(value, frame_id=torch.tensor([0, 1, 2]), step=torch.arange(3), n_top=2)
    assert found.frame.tolist() == [[1, 2]]
    assert found.value.tolist() == [[-1.0, -2.0]]


def test_working_in_blocks_changes_nothing(monkeypatch) -> None:
    value, frame_id, step = _rows()
    whole = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    monkeypatch.setattr(module, "FEATURES_AT_ONCE", 2)
    pieces = top_frames(value, frame_id=frame_id, step=step, n_top=5)
    for part in ("frame", "value", "row", "step"):
        assert torch.equal(getattr(whole, part), getattr(pieces, part))
