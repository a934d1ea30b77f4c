"""Small vector pictures of frames and of tables over the view.

MiniGrid's tiles are made for a dark screen: key and ball share a colour, and a carried object hides behind the agent.
These pictures show the same cells on paper: walls dark, floor white, what is out of sight faded; keys and balls differ
in shape and hue.
"""

import base64

import numpy as np
from jaxtyping import Float, UInt8
from markupsafe import Markup
from minigrid.core.constants import COLOR_TO_IDX, COLORS, OBJECT_TO_IDX

from dtinterp.report.style import BALL, INK, KEY
from environments.vocabulary import CHANNELS

OBJECTS = CHANNELS[0]
PLAIN = ("unseen", "empty", "wall", "floor")
"""What a description of a frame leaves out."""

UNSEEN_FILL = "#e9edf1"
WALL_FILL = "#7d8998"
FLOOR_FILL = "#ffffff"
GRID_LINE = "#dfe4e9"
NEGATIVE, POSITIVE = (118, 42, 131), (27, 120, 55)
"""Ends of the diverging scale: purple and green are told apart by everyone (ColorBrewer's PRGn)."""

_KEY_GLYPH = (
    f'<g fill="none" stroke="{KEY}" stroke-width=".13"><circle cx=".42" cy=".3" r=".17"/>'
    '<path d="M.42 .47V.9M.42 .66H.64M.42 .83H.64"/></g>'
)
_BALL_GLYPH = f'<circle cx=".5" cy=".5" r=".34" fill="{BALL}"/>'
_AGENT_GLYPH = f'<path d="M.5 .14L.86 .86H.14Z" fill="{INK}"/>'
_CHEVRON_GLYPH = f'<path d="M.14 .42L.5 .08L.86 .42" fill="none" stroke="{INK}" stroke-width=".13"/>'


def frame_picture(frame: UInt8[np.ndarray, "view view 3"]) -> Markup:
    """Draw what the agent sees, itself at the bottom, looking up: the inside of an SVG of `viewBox` `0 0 view view`."""
    view = len(frame)
    agent = (view // 2, view - 1)
    kinds = frame[..., 0]
    cells = [(x, y) for y in range(view) for x in range(view)]
    parts = [
        f'<rect width="{view}" height="{view}" fill="{UNSEEN_FILL}"/>',
        _squares([cell for cell in cells if OBJECTS[kinds[cell]] not in ("unseen", "wall")], FLOOR_FILL, GRID_LINE),
        _squares([cell for cell in cells if OBJECTS[kinds[cell]] == "wall"], WALL_FILL, WALL_FILL),
        *(_placed(cell, _glyph(frame[cell])) for cell in cells if cell != agent and _is_thing(kinds[cell])),
        _placed(agent, _agent(frame[agent])),
    ]
    return Markup("".join(parts))


def map_picture(values: Float[np.ndarray, "view view"], limit: float) -> Markup:
    """Colour each cell [x, y] green above 0 and purple below, full at ±`limit`: the inside of an SVG."""
    view = len(values)
    parts = [f'<rect width="{view}" height="{view}" fill="{FLOOR_FILL}" stroke="{GRID_LINE}" stroke-width=".08"/>']
    for x, y in np.argwhere(np.abs(values) > limit / 100):
        share = float(np.clip(values[x, y] / limit, -1, 1))
        parts.append(f'<rect x="{x}" y="{y}" width="1" height="1" fill="{_diverging(share)}"/>')
    return Markup("".join(parts))


def standalone(picture: Markup, *, view: int = 7) -> Markup:
    """Return a picture as an SVG file of its own."""
    return Markup(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {view} {view}">{picture}</svg>')


def svg_data_uri(picture: Markup, *, view: int = 7) -> str:
    """Return a picture as a `data:` address."""
    return "data:image/svg+xml;base64," + base64.b64encode(standalone(picture, view=view).encode()).decode("ascii")


def in_words(frame: UInt8[np.ndarray, "view view 3"]) -> str:
    """Name the objects in view as items, `ball (1,2), key (5,2)`; what is carried comes last."""
    view = len(frame)
    agent = (view // 2, view - 1)
    seen = [(x, y) for y in range(view) for x in range(view) if _is_thing(frame[x, y, 0]) and (x, y) != agent]
    things = [f"{OBJECTS[frame[x, y, 0]]} ({x},{y})" for x, y in seen]
    carried = [f"carries {OBJECTS[frame[agent][0]]}"] if _is_thing(frame[agent][0]) else []
    return ", ".join(things + carried) or "no object in view"


def symbols(pictures: dict[str, Markup], *, view: int = 7) -> Markup:
    """Return the pictures as symbols by id, drawn nowhere until `use` shows them: a page holds each of them once."""
    symbol = Markup('<symbol id="{}" viewBox="0 0 {} {}">{}</symbol>')
    defined = Markup("").join(symbol.format(name, view, view, picture) for name, picture in pictures.items())
    return Markup('<svg class="symbols" aria-hidden="true">{}</svg>').format(defined)


def use(name: str, title: str) -> Markup:
    """Show the symbol `name`; `title` is what a pointer and a screen reader are told."""
    shown = Markup('<svg class="frame" role="img"><title>{}</title><use href="#{}"></svg>')
    return shown.format(title, name)


def _is_thing(kind: int | np.integer) -> bool:
    return OBJECTS[kind] not in PLAIN


def _squares(cells: list[tuple[int, int]], fill: str, line: str) -> str:
    path = "".join(f"M{x} {y}h1v1h-1z" for x, y in cells)
    return f'<path d="{path}" fill="{fill}" stroke="{line}" stroke-width=".04"/>' if path else ""


def _placed(cell: tuple[int, int], glyph: str) -> str:
    return f'<g transform="translate({cell[0]} {cell[1]})">{glyph}</g>'


def _agent(cell: UInt8[np.ndarray, " 3"]) -> str:
    """Draw the agent, and below a chevron what it carries."""
    if not _is_thing(cell[0]):
        return _AGENT_GLYPH
    return f'{_CHEVRON_GLYPH}<g transform="translate(.16 .32) scale(.68)">{_glyph(cell)}</g>'


def _glyph(cell: UInt8[np.ndarray, " 3"]) -> str:
    """Draw an object; those without a glyph of their own are a square in the colour that the world gives them."""
    name = OBJECTS[cell[0]]
    if cell[0] == OBJECT_TO_IDX["key"]:
        return _KEY_GLYPH
    if cell[0] == OBJECT_TO_IDX["ball"]:
        return _BALL_GLYPH
    red, green, blue = COLORS[next(word for word, index in COLOR_TO_IDX.items() if index == cell[1])]
    letter = f'<text x=".5" y=".72" font-size=".6" text-anchor="middle" fill="{INK}">{name[0].upper()}</text>'
    return f'<rect x=".1" y=".1" width=".8" height=".8" fill="rgb({red},{green},{blue})" fill-opacity=".6"/>{letter}'


def _diverging(share: float) -> str:
    end = POSITIVE if share > 0 else NEGATIVE
    mixed = (round(255 + (channel - 255) * abs(share)) for channel in end)
    return f"rgb({','.join(map(str, mixed))})"
