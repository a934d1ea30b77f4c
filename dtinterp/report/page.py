"""A study's results become one HTML file that needs no network."""

import re
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from dtinterp.foundation.artefacts.writing import write_text
from dtinterp.report.figures.markup import plotly_script
from dtinterp.report.filmstrip import Draw
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.pictures import frame_picture, in_words, symbols, use
from dtinterp.report.results import StudyResults
from dtinterp.report.sections.agreement import agreement_section
from dtinterp.report.sections.comparison import comparison_section
from dtinterp.report.sections.dictionaries import dictionaries_section
from dtinterp.report.sections.equivalence import equivalence_section
from dtinterp.report.sections.features import features_section
from dtinterp.report.sections.flip import flip_section
from dtinterp.report.sections.model import model_section
from dtinterp.report.sections.opening import opening
from dtinterp.report.sections.provenance import provenance_section
from dtinterp.report.sections.why import why_section
from dtinterp.report.sections.world import world_section

STYLE_SHEET = Path(__file__).with_name("page.css")
USED_FRAME = re.compile(r'href="#frame-(\d+)"')
HEADING = re.compile(r'<section id="([^"]+)"><h2>(.*?)</h2>')


def render(results: StudyResults, path: Path) -> Path:
    """Write the report to `path`, whole or not at all, and return it; what stood there is replaced.

    The file opens without network. The same results give the same bytes.
    """
    write_text(path, page(results))
    return path


def page(results: StudyResults) -> str:
    """Return the page."""
    frames = results.tried_on.frames
    draw = _album(frames)
    sections = join(
        [
            world_section(results, draw),
            model_section(results),
            dictionaries_section(results),
            features_section(results, draw),
            comparison_section(results, draw),
            equivalence_section(results, draw),
            agreement_section(results, draw),
            why_section(results, draw),
            flip_section(results),
            provenance_section(results),
        ]
    )
    body = words(opening(results), _contents(sections), element("main", sections))
    head = words(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{results.model.artefact.name}: what it takes for the same"),
        element("style", Html(STYLE_SHEET.read_text(encoding="utf-8"))),
        plotly_script(),
    )
    written = element("html", element("head", head), element("body", _symbols(body, frames), body), lang="en")
    return f"<!doctype html>\n{written}\n"


def _album(frames: UInt8[Tensor, "frame view view 3"]) -> Draw:
    """Return what shows a frame by reference to its symbol."""

    def draw(frame: int) -> Html:
        return use(f"frame-{frame}", f"frame {frame}: {in_words(frames[frame].numpy())}")

    return draw


def _symbols(body: Html, frames: UInt8[Tensor, "frame view view 3"]) -> Html:
    """Define the frames that the body shows, each once."""
    used = sorted({int(frame) for frame in USED_FRAME.findall(body)})
    return symbols({f"frame-{frame}": frame_picture(frames[frame].numpy()) for frame in used})


def _contents(sections: Html) -> Html:
    links = [element("a", Html(title), href=f"#{name}") for name, title in HEADING.findall(sections)]
    return element("nav", join(links), aria_label="contents")
