import base64
from xml.etree import ElementTree

import numpy as np
import pytest
from jaxtyping import UInt8
from markupsafe import Markup

from dtinterp.report.pictures import (
    FLOOR_FILL,
    WALL_FILL,
    frame_picture,
    in_words,
    map_picture,
    standalone,
    svg_data_uri,
    symbols,
    use,
)
from dtinterp.report.style import BALL, KEY
from environments.graph.state_graph import StateGraph
from environments.vocabulary import CHANNELS

OBJECTS = CHANNELS[0]
GREEN = CHANNELS[1].index("green")
AGENT = (3, 6)


def _frame(**things: tuple[int, int]) -> UInt8[np.ndarray, "7 7 3"]:
    frame = np.zeros((7, 7, 3), dtype=np.uint8)
    for name, cell in things.items():
        frame[cell] = (OBJECTS.index(name), GREEN, 0)
    return frame


def test_a_thing_is_drawn_in_its_cell() -> None:
    picture = frame_picture(_frame(key=(2, 5)))
    assert f'<g transform="translate(2 5)"><g fill="none" stroke="{KEY}"' in picture
    assert BALL not in picture


def test_what_is_carried_is_drawn_with_the_agent_and_not_under_it() -> None:
    carrying = frame_picture(_frame(ball=AGENT))
    assert carrying.count("translate(3 6)") == 1
    assert "scale(.68)" in carrying
    assert BALL in carrying


def test_every_wall_is_one_square_of_one_path() -> None:
    frame = _frame(wall=(0, 0))
    frame[4, 2] = frame[0, 0]
    assert f'<path d="M0 0h1v1h-1zM4 2h1v1h-1z" fill="{WALL_FILL}"' in frame_picture(frame)


def test_what_cannot_be_seen_is_no_floor() -> None:
    assert FLOOR_FILL not in frame_picture(_frame())


def test_a_thing_without_a_glyph_is_a_square_with_its_letter_in_the_worlds_colour() -> None:
    picture = frame_picture(_frame(box=(1, 1)))
    assert ">B</text>" in picture
    assert "rgb(0,255,0)" in picture


def test_every_frame_of_the_world_is_well_formed(graph: StateGraph) -> None:
    for frame in graph.frames:
        ElementTree.fromstring(standalone(frame_picture(frame)))


def test_different_frames_look_different(graph: StateGraph) -> None:
    pictures = {frame_picture(frame) for frame in graph.frames}
    assert len(pictures) == len(graph.frames)


def test_words_name_objects_as_items_row_by_row_and_what_is_carried_last() -> None:
    assert in_words(_frame(key=(5, 2), ball=(1, 2), wall=(0, 0))) == "ball (1,2), key (5,2)"
    assert in_words(_frame(key=AGENT, ball=(1, 2))) == "ball (1,2), carries key"
    assert in_words(_frame(wall=(0, 0))) == "no object in view"


def test_a_map_is_green_above_zero_purple_below_and_blank_at_zero() -> None:
    values = np.zeros((7, 7))
    values[1, 2], values[3, 4] = 1.0, -1.0
    picture = map_picture(values, 1.0)
    assert '<rect x="1" y="2" width="1" height="1" fill="rgb(27,120,55)"/>' in picture
    assert '<rect x="3" y="4" width="1" height="1" fill="rgb(118,42,131)"/>' in picture
    assert picture.count("<rect") == 3  # the two cells, and the frame around all


@pytest.mark.parametrize("value", [2.0, 50.0])
def test_a_map_is_no_darker_than_full(value: float) -> None:
    values = np.full((7, 7), value)
    assert map_picture(values, 1.0).count("rgb(27,120,55)") == 49


def test_an_address_holds_the_whole_picture() -> None:
    picture = frame_picture(_frame(key=(2, 5)))
    kind, _, data = svg_data_uri(picture).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == standalone(picture)


def test_a_symbol_is_defined_once_and_shown_by_name() -> None:
    assert symbols({"frame-3": Markup("<g/>")}).count('id="frame-3"') == 1
    assert use("frame-3", "a <title>") == (
        '<svg class="frame" role="img"><title>a &lt;title&gt;</title><use href="#frame-3"></svg>'
    )
