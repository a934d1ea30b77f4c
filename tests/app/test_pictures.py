from pathlib import Path

import pytest

from app.catalogue import OpenStudy, open_study, studies
from app.pictures import ICON, address_of, album, gallery, title_of
from app.shelf import shelve


@pytest.fixture(scope="module")
def opened(small_study: Path) -> OpenStudy:
    return open_study(studies(shelve([small_study]))["novice"])


def test_an_observation_is_called_by_its_number_and_what_is_in_view(opened: OpenStudy) -> None:
    title = title_of(opened.trajectories.frames, 0)
    assert title.startswith("frame 0: ")
    assert "(" in title or "no object in view" in title


def test_a_picture_needs_nothing_but_itself(opened: OpenStudy) -> None:
    frames = opened.trajectories.frames
    picture = album(frames)(3)
    assert f'src="{address_of(frames, 3)}"' in picture
    assert address_of(frames, 3).startswith("data:image/svg+xml;base64,")
    assert f'alt="{title_of(frames, 3)}"' in picture


def test_a_gallery_shows_each_once_in_order(opened: OpenStudy) -> None:
    draw = album(opened.trajectories.frames)
    shown = gallery(draw, [2, 0])
    assert shown.index(draw(2)) < shown.index(draw(0))
    assert shown.count("<img") == 2


def test_the_icon_of_the_tab_asks_nobody_for_anything() -> None:
    assert ICON.startswith("<svg ")
    assert "href" not in ICON
