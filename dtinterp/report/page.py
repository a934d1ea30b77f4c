"""The page: its head and whatever sections there are, in one HTML file that needs no network."""

import re
from pathlib import Path

from jaxtyping import UInt8
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from torch import Tensor

from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.report.filmstrip import Draw
from dtinterp.report.opening import opening
from dtinterp.report.pictures import frame_picture, in_words, symbols, use
from dtinterp.report.rendering import render as rendered
from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section, found_sections

STYLE_SHEET = Path(__file__).with_name("page.css")
USED_FRAME = re.compile(r'href="#frame-(\d+)"')


def render(results: StudyResults, path: Path) -> Path:
    """Write the report to `path`, whole or not at all, and return it; what stood there is replaced.

    The file opens without network. The same results give the same bytes.
    """
    write_text(path, page(results))
    return path


def page(results: StudyResults) -> str:
    """Return the page; a section that has nothing to say is left out."""
    frames = results.tried_on.frames
    draw = album(frames)
    head = rendered("opening.html", study=results, draw=draw, **opening(results))
    bodies = [(section, section_body(section, results, draw)) for section in found_sections()]
    sections = [(section, body) for section, body in bodies if body.strip()]
    used = sorted({int(frame) for _, body in sections for frame in USED_FRAME.findall(body)})
    written = rendered(
        "page.html",
        title=results.model.artefact.name,
        style=Markup(STYLE_SHEET.read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()),
        symbols=symbols({f"frame-{frame}": frame_picture(frames[frame].numpy()) for frame in used}),
        opening=head,
        sections=sections,
    )
    return f"{written}\n"


def section_body(section: Section, results: StudyResults, draw: Draw) -> Markup:
    """Return a section without its title; its template is told where the study has nothing that it shows."""
    missing = not any(results.of(each) for each in section.shows)
    gathered = {} if missing else section.gather(results)
    return rendered(f"{section.name}.html", study=results, draw=draw, missing=missing, **gathered)


def album(frames: UInt8[Tensor, "frame view view 3"]) -> Draw:
    """Return what shows a frame by reference to its symbol."""

    def draw(frame: int) -> Markup:
        return use(f"frame-{frame}", f"frame {frame}: {in_words(frames[frame].numpy())}")

    return draw
