"""Feature tables become cards: where a feature is active, what it looks at, what it tells."""

import pandas as pd

from dtinterp.features.item_maps import VALUES, on_view
from dtinterp.features.labels.table import VERDICTS, LabelStudy, summary_of
from dtinterp.features.table import FeatureTable
from dtinterp.report.evidence import cite, decimal, plural, source
from dtinterp.report.filmstrip import Draw
from dtinterp.report.gate_mark import gate_mark
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import column, paragraph, section, table_block, table_html
from dtinterp.report.pictures import map_picture, standalone
from dtinterp.report.results import Sourced, StudyResults

N_CARDS = 9
"""Features shown of each dictionary."""
N_MAPS = 4
"""Values, such as `key` or `wall`, whose maps are shown of each feature."""
N_FRAMES = 8
"""Top frames shown of each feature."""


def features_section(results: StudyResults, draw: Draw) -> Html:
    """Return the cards of those features that tell a fact best, dictionary after dictionary."""
    if not results.features:
        return section("features", "Features", paragraph("No feature was described in this study."))
    return section(
        "features",
        "Features",
        paragraph(
            "Of each dictionary the features are shown that go best with one fact of the world. The facts were never "
            "shown to the model. A best of many is flattered by the choice: beside each correlation stands the best "
            "that the same feature reaches when every row is given the facts of another row."
        ),
        *_labels(results),
        *(_table(results, table, draw) for table in results.features),
    )


def label_table(results: StudyResults) -> pd.DataFrame:
    """Return one row per dictionary: features by verdict, and the share with a good label beside its controls."""
    studies = results.labels
    summaries = [summary_of(each.value.labels) for each in studies]
    return pd.DataFrame(
        {
            "dictionary": column([_cited(results, each) for each in studies]),
            **{verdict: [summary.n_features[verdict] for summary in summaries] for verdict in VERDICTS},
            "good (of judged)": [summary.share for summary in summaries],
            "good (shuffled)": [summary.shuffled_share for summary in summaries],
            "good (untrained)": [each.value.untrained.share for each in studies],
            "inputs (searched)": [summary.n_searched for summary in summaries],
            "inputs (judged)": [summary.n_judged for summary in summaries],
        }
    )


def _cited(results: StudyResults, each: Sourced[LabelStudy]) -> Html:
    labels = each.value.labels
    mark = gate_mark(results, labels.name, labels.site)
    return words(cite(labels.name, each.artefact), element("small", labels.site, class_="below"), mark)


def _labels(results: StudyResults) -> list[Html]:
    """Say how many features have a label that says when they fire, and how many controls have one."""
    if not results.labels:
        return []
    config = results.labels[0].value.labels.config
    return [
        table_block(
            table_html(label_table(results)),
            "How many features have a good label: a conjunction of "
            f"at most {config.n_literals} statements about the frame and the window before it that tells when the "
            f"feature fires with F1 ≥ {config.min_f1} on frames that the search never saw, and at least "
            f"{config.min_lift:.0%} of the way from always to perfect. Shuffled: each input has the firings of "
            "another. Untrained: a dictionary of the same make in a model of the same shape that never learnt. "
            "Good labels stand in italics on the cards.",
        )
    ]


def _table(results: StudyResults, table: Sourced[FeatureTable], draw: Draw) -> Html:
    scored = results.described(table.value)
    chosen = table.value.telling(N_CARDS).tolist()
    n_alive = int((table.value.density > 0).sum())
    memory = "⚠ wider than its distinct inputs: these features may be mere memory."
    return element(
        "div",
        element("h3", cite(table.value.name, table.artefact), " at ", element("code", table.value.site)),
        paragraph(gate_mark(results, table.value.name, table.value.site)),
        paragraph(
            f"{len(chosen)} of {plural(n_alive, 'living feature')}, out of {table.value.n_features}. Maps: how much "
            "more often than usual the cell holds the thing where the feature is active; green more often, purple "
            "less. ",
            source(table.artefact),
        ),
        element("p", memory, class_="warning") if scored.score.width_exceeds_inputs else "",
        element("div", join(_card(results, table.value, feature, draw) for feature in chosen), class_="cards"),
    )


def _card(results: StudyResults, table: FeatureTable, feature: int, draw: Draw) -> Html:
    return element(
        "article",
        element(
            "h4", f"Feature {feature}", element("small", f" active in {float(table.density[feature]):.1%} of rows")
        ),
        _meaning(table, feature),
        _labelled(results, table, feature),
        element("div", join(_top_frames(table, feature, draw)), class_="tops"),
        element("div", join(_maps(table, feature)), class_="maps"),
        class_="card",
    )


def _meaning(table: FeatureTable, feature: int) -> Html:
    alignment = table.alignment
    best = int(alignment.best[feature])
    correlation, control = float(alignment.correlation[feature, best]), float(alignment.control[feature])
    auroc = float(alignment.auroc[feature, best])
    precision, recall = float(alignment.precision[feature, best]), float(alignment.recall[feature, best])
    base = float(alignment.base_rate[best])
    return element(
        "p",
        element("strong", alignment.fact_values[best].plain_words),
        words(
            f" r = {decimal(correlation, 2)} ",
            element("span", f"(control {control:.2f})", class_="range"),
            f", AUROC {auroc:.2f}",
        ),
        element("br"),
        element(
            "small",
            f"precision {precision:.2f} over a base rate of {base:.2f}, recall {recall:.2f}, "
            f"{plural(alignment.n_rows, 'row')}",
        ),
        class_="meaning",
    )


def _labelled(results: StudyResults, table: FeatureTable, feature: int) -> Html:
    words_ = results.label_of(table.name, table.site, feature)
    return element("p", element("em", words_), class_="label") if words_ else Html("")


def _top_frames(table: FeatureTable, feature: int, draw: Draw) -> list[Html]:
    frames, values = table.top.frame[feature].tolist(), table.top.value[feature].tolist()
    shown = [(frame, value) for frame, value in zip(frames, values, strict=True) if frame >= 0][:N_FRAMES]
    return [element("span", draw(frame), element("small", f"{value:.2f}"), class_="top") for frame, value in shown]


def _maps(table: FeatureTable, feature: int) -> list[Html]:
    maps = on_view(table.maps.seen[feature])  # value y x
    strength = maps.abs().amax(dim=(1, 2))
    strongest = strength.argsort(descending=True, stable=True)[:N_MAPS].tolist()
    limit = max(float(strength.max()), 1e-6)
    drawn = [(VALUES[place], map_picture(maps[place].T.double().numpy(), limit)) for place in strongest]
    return [element("span", Html(standalone(picture)), element("small", name), class_="map") for name, picture in drawn]
