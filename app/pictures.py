"""Pictures of observations as streamlit shows them, and the dashboard's style sheet."""

from jaxtyping import UInt8
from markupsafe import Markup
from torch import Tensor

from dtinterp.report.filmstrip import Draw
from dtinterp.report.pictures import frame_picture, in_words, standalone, svg_data_uri
from dtinterp.report.style import TRAINED, WRONG

STYLE = """
<style>
.stMainBlockContainer { padding-top: 2.5rem; }
[data-testid="stMetricValue"] { font-size: 1.45rem; }
[data-testid="stMetricValue"] > div { overflow: visible; }
.members { display: flex; flex-wrap: wrap; gap: .5rem; margin: .2rem 0 .4rem; }
img.frame { width: 4.2rem; height: 4.2rem; border-radius: 4px; display: block; }
.pair img.frame { width: clamp(4rem, 7vw, 6rem); height: auto; }
.large img.frame { width: 100%; max-width: 11rem; height: auto; }
.fact { background: #f4f6f8; border-radius: 3px; padding: .1rem .5rem; font-size: .82rem; margin-right: .3rem; }
.facts { line-height: 1.9; }
.scroll { overflow-x: auto; padding-bottom: .4rem; }
.strip { display: flex; gap: .5rem; align-items: flex-start; }
.slot { flex: 0 0 5.4rem; padding: .5rem .4rem; border-radius: 5px; border: 1px solid transparent; font-size: .78rem;
  line-height: 1.4; color: #5b6675; text-align: center; }
.slot .frame { width: 4.4rem; height: 4.4rem; margin: .25rem auto; }
.slot span { display: block; }
.slot-action, .slot-time { color: #1c2430; }
.slot-action { font-weight: 600; }
.pad { height: 4.4rem; width: 4.4rem; margin: 1.4rem auto 0; border: 1px dashed #d9dee5; border-radius: 3px;
  display: grid; place-items: center; }
.is-swapped { background: #eef5f8; border-color: #b9d6e0; }
.is-decision { border: 1.5px solid #a34a12; }
.is-decision > .slot-note:last-child { color: #a34a12; }
.slot-note { margin-top: .4rem; line-height: 1.25; }
</style>
"""
"""How pictures and filmstrips look inside the dashboard."""

ICON = standalone(
    Markup(
        f'<circle cx="2.5" cy="3.5" r="2.1" fill="{TRAINED}"/><path d="M4.2 2.1h2.6v2.8h-2.6z" fill="{WRONG}"/>',
    )
)
"""Of the browser's tab. It is drawn here, because streamlit fetches icons that have a name from the network."""


def title_of(frames: UInt8[Tensor, "frame view view 3"], frame: int) -> str:
    """Return what an observation is called: its number and the objects in view."""
    return f"frame {frame}: {in_words(frames[frame].numpy())}"


def address_of(frames: UInt8[Tensor, "frame view view 3"], frame: int) -> str:
    """Return an observation's picture as a `data:` address."""
    return svg_data_uri(frame_picture(frames[frame].numpy()))


def album(frames: UInt8[Tensor, "frame view view 3"]) -> Draw:
    """Return what draws an observation of this table."""

    def draw(frame: int) -> Markup:
        title = title_of(frames, frame)
        picture = Markup('<img src="{}" alt="{}" title="{}" class="frame">')
        return picture.format(address_of(frames, frame), title, title)

    return draw


def gallery(draw: Draw, frames: list[int]) -> Markup:
    """Return pictures side by side."""
    return boxed("members", *map(draw, frames))


def boxed(name: str, *content: Markup) -> Markup:
    """Return content in a box of a class that `STYLE` names."""
    return Markup('<div class="{}">{}</div>').format(name, Markup("").join(content))
