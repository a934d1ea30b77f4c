"""The verdict on a dictionary becomes the mark that stands beside its name, wherever its features appear."""

from dtinterp.report.html import Html, element
from dtinterp.report.results import StudyResults

PASSES = "passes"


def gate_mark(results: StudyResults, name: str, site: str) -> Html:
    """Return `gate: passes`, or a warning sign with the marks that were missed or could not be judged."""
    verdict = results.gate_of(name, site)
    sign = "" if verdict == PASSES else element("span", "⚠ ", aria_hidden="true")
    return element("small", sign, f"gate: {verdict}", class_="below")
