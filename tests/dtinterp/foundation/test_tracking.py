import pytest

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.logbook import Logbook
from dtinterp.foundation.tracking import Untracked, open_tracker


class Drawn:
    """Keeps the points of curves."""

    def __init__(self) -> None:
        self.points = []

    def write(self, step, numbers) -> None:
        self.points.append((step, dict(numbers)))


def test_a_log_draws_the_numbers_of_a_row_at_its_step(tmp_path):
    drawn = Drawn()
    logbook = Logbook(tmp_path / "log.jsonl", drawn)
    logbook.write(update=1, step=32, success=0.5, note="half way")
    logbook.write(stage="no step, no point", seconds=1.0)
    assert drawn.points == [(32, {"success": 0.5})]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_nothing_is_drawn_unasked(tmp_path):
    assert isinstance(open_tracker("none", tmp_path / "curves"), Untracked)
    assert not (tmp_path / "curves").exists()


@pytest.mark.parametrize("track", ["tensorboard", "wandb"])
def test_what_is_not_installed_is_named(tmp_path, monkeypatch, track):
    monkeypatch.setattr("dtinterp.foundation.tracking.find_spec", lambda _: None)
    with pytest.raises(UserError, match=f"track is {track}, which is not installed: pip install 'dtinterp"):
        open_tracker(track, tmp_path / "curves")


def test_tensorboard_reads_the_curves_back(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracker = open_tracker("tensorboard", tmp_path / "curves")
    tracker.write(32, {"success": 0.25})
    tracker.write(64, {"success": 0.75})
    curves = accumulator.EventAccumulator(str(tmp_path / "curves")).Reload()
    assert [(point.step, point.value) for point in curves.Scalars("success")] == [(32, 0.25), (64, 0.75)]
