import pytest

from dtinterp.dictionary.transcoders.map_config import MapConfig
from dtinterp.dictionary.transcoders.maps import Linear, SkipTranscoder, Transcoder
from dtinterp.foundation.errors import UserError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0, expected at least 1"),
        ({"n_steps": 0}, "n_steps is 0, expected at least 1"),
        ({"learning_rate": 1.0}, "learning_rate is 1.0, expected between 0 and 1"),
        ({"width": 4}, "k is 8, expected at most the width 4"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        MapConfig(**settings)


def test_titles_tell_maps_apart():
    titles = [
        MapConfig(Linear()).title,
        MapConfig(Transcoder(4), 64).title,
        MapConfig(SkipTranscoder(4), 64, member=2).title,
    ]
    assert titles == ["linear", "transcoder-64-k4", "skip-transcoder-64-k4-m2"]
