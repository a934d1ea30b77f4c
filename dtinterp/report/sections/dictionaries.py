"""Report cards of dictionaries become the section on what they keep and what they cost."""

import pandas as pd

from dtinterp.dictionary.evaluation.acceptance import verdict_of
from dtinterp.report.evidence import cite, count, plural
from dtinterp.report.figures.dictionaries import dictionary_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import column, figure_block, paragraph, section, table_block, table_html
from dtinterp.report.results import ScoredDictionary, Sourced, StudyResults
from dtinterp.report.tables import dictionary_table


def dictionaries_section(results: StudyResults) -> Html:
    """Return the section that holds every dictionary against the linear baseline, on held-out rows."""
    if not results.dictionaries:
        return section("dictionaries", "Dictionaries", paragraph("No dictionary was fitted in this study."))
    scored = [each.value for each in results.dictionaries]
    return section(
        "dictionaries",
        "Dictionaries",
        paragraph(
            "Sparse autoencoders and principal components take the rows of a site apart. Each is judged on rows of "
            "held-out episodes: how much of their variance it misses, and how much worse the next action is "
            "predicted when its reconstruction is put back in their place, with rows of zeros and the mean row as "
            "rulers."
        ),
        *_warnings(results),
        *_gate(results),
        table_block(
            table_html(_linked(results)),
            "Every dictionary with L0, reconstruction and behaviour; losses in nats per action. Intervals are 95% "
            "bootstraps over held-out episodes. Width stands beside the number of distinct inputs and their rank, "
            "since a dictionary wider than its data can memorise them." + _untouched(results),
        ),
        figure_block(
            figure_html(
                dictionary_figure(scored),
                name="dictionaries",
                alt="Fraction of variance unexplained and loss recovered against the number of active features",
            ),
            "What each dictionary misses against how many features a row uses. Open symbols: wider than its distinct "
            "inputs.",
            source=element("span", "Sources: the names in the table.", class_="source"),
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


def _gate(results: StudyResults) -> list[Html]:
    """Name the dictionaries that do not pass, each with its reasons: nothing may be claimed about their features."""
    missed = [(each, verdict_of(each.value.score)) for each in results.dictionaries]
    reasons = [
        element("li", cite(each.value.dictionary.name, each.artefact), f" at {each.value.dictionary.site} {verdict}.")
        for each, verdict in missed
        if not verdict.passes
    ]
    if not reasons:
        return []
    return [
        element(
            "p",
            f"{plural(len(reasons), 'dictionary', 'dictionaries')} of {len(missed)} did not pass the gate of sparsity, "
            "error on unseen rows and frames, loss, accuracy and return. What is said of their features is a "
            "description, no claim:",
            class_="warning",
        ),
        element("ul", *reasons),
    ]


def _untouched(results: StudyResults) -> str:
    """Say what the model's own loss and accuracy are, where all dictionaries were judged on the same rows."""
    clean = {each.value.score.clean for each in results.dictionaries}
    if len(clean) > 1:
        return ""
    own = clean.pop()
    score = results.dictionaries[0].value.score
    return (
        f" Untouched, the model's loss on these {count(score.n_rows)} rows of {plural(score.l0.n, 'episode')} is "
        f"{own.loss.estimate:.3f} and its accuracy {own.accuracy.estimate:.1%}."
    )


def _linked(results: StudyResults) -> pd.DataFrame:
    """Return the table with each name leading to its artefact and a sign at widths that exceed the inputs."""
    scored = [each.value for each in results.dictionaries]
    table = dictionary_table(scored).astype(object)
    table["dictionary"] = column([_name(each) for each in results.dictionaries])
    table["width"] = column([_width(each.score.width, each.score.width_exceeds_inputs) for each in scored])
    clean = [name for name in table.columns if name.endswith("(clean)")] if _untouched(results) else []
    return table.drop(columns=["site", "rows", *clean])


def _name(each: Sourced[ScoredDictionary]) -> Html:
    return words(
        cite(each.value.dictionary.name, each.artefact), element("small", each.value.dictionary.site, class_="below")
    )


def _width(width: int, exceeds: bool) -> Html:
    sign = element("span", " ⚠", class_="sign", title="wider than its distinct inputs") if exceeds else ""
    return element("span", count(width), sign, class_="number")
