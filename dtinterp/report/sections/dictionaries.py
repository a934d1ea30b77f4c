"""Report cards of dictionaries become the section on what they keep and what they cost."""

import pandas as pd

from dtinterp.report.evidence import cite, plural, source
from dtinterp.report.figures.dictionaries import dictionary_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import figure_block, paragraph, section, table_block, table_html
from dtinterp.report.results import StudyResults
from dtinterp.report.tables import dictionary_table


def dictionaries_section(results: StudyResults) -> Html:
    """Return the section that holds every dictionary against the linear baseline, on held-out rows."""
    if not results.dictionaries:
        return section("dictionaries", "Dictionaries", paragraph("No dictionary was fitted in this study."))
    scored = [each.value for each in results.dictionaries]
    sources = join([source(each.artefact) for each in results.dictionaries], " ")
    return section(
        "dictionaries",
        "Dictionaries",
        paragraph(
            "Sparse autoencoders and principal components take the rows of a site apart. Each is judged on rows of "
            "held-out episodes: how much "
            "of their variance it misses, and how much worse the next action is predicted when its reconstruction "
            "is put back in their "
            "place, with rows of zeros and the mean row as rulers."
        ),
        *_warnings(results),
        table_block(
            table_html(_linked(results)),
            "Every dictionary with L0, reconstruction and behaviour; losses in nats per action. Intervals are 95% "
            "bootstraps over held-out "
            "episodes. Width stands beside the number of distinct inputs and their rank, since a dictionary wider "
            "than its data can memorise "
            "them.",
        ),
        figure_block(
            figure_html(
                dictionary_figure(scored),
                name="dictionaries",
                alt="Fraction of variance unexplained and loss recovered against the number of active features",
            ),
            "What each dictionary misses against how many features a row uses. Open symbols: wider than its "
            "distinct inputs.",
            source=sources,
        ),
    )


def _warnings(results: StudyResults) -> list[Html]:
    wide = [each for each in results.dictionaries if each.value.score.width_exceeds_inputs]
    if not wide:
        return []
    names = join([cite(each.value.dictionary.name, each.artefact) for each in wide], ", ")
    verb = "has" if len(wide) == 1 else "have"
    sentence = words(
        plural(len(wide), "dictionary", "dictionaries"),
        " ",
        element("span", "⚠", aria_hidden="true"),
        f" {verb} a feature for every distinct input and more: ",
        names,
        ". Sparsity there may be mere memory, and its features are no evidence of structure.",
    )
    return [element("p", sentence, class_="warning")]


def _linked(results: StudyResults) -> pd.DataFrame:
    """Return the table with each name leading to its artefact and a sign at widths that exceed the inputs."""
    table = dictionary_table([each.value for each in results.dictionaries])
    table["dictionary"] = [cite(each.value.dictionary.name, each.artefact) for each in results.dictionaries]
    table["width"] = [
        _width(each.value.score.width, each.value.score.width_exceeds_inputs) for each in results.dictionaries
    ]
    return table


def _width(width: int, exceeds: bool) -> Html:
    sign = element("span", " ⚠", class_="sign", title="wider than its distinct inputs") if exceeds else ""
    return element("span", str(width), sign, class_="number")
