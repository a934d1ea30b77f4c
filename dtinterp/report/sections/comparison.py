"""A comparison becomes the section that holds all dictionaries against each other, row by row and window by window."""

from collections.abc import Sequence

import pandas as pd
import torch

from dtinterp.dataset.windows import window
from dtinterp.interventions.dictionary_comparison import DictionaryComparison, Example, LinearCost
from dtinterp.report.evidence import decimal, plural, source
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.figures.token_errors import token_error_figure
from dtinterp.report.filmstrip import Draw, filmstrip
from dtinterp.report.gate_mark import gate_mark
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import column, details, figure_block, paragraph, section, table_block, table_html
from dtinterp.report.results import StudyResults
from environments.vocabulary import ACTIONS

N_WORST = 3
"""Rows shown of each dictionary, each of another frame."""
N_COSTS = 3
"""Dictionaries listed beside each MLP."""
N_PARTS = 8
"""Parts listed, those that decide most often."""


def comparison_section(results: StudyResults, draw: Draw) -> Html:
    """Return the section; without a comparison, one sentence."""
    if results.comparison is None:
        return section("side-by-side", "Side by side", paragraph("Dictionaries were not compared in this study."))
    comparison, artefact = results.comparison.value, results.comparison.artefact
    return section(
        "side-by-side",
        "Side by side",
        paragraph(
            "All dictionaries on the same rows of held-out windows: what each misses of every single token, and what "
            "each sees in windows where one part of the network decides."
        ),
        figure_block(
            figure_html(
                token_error_figure(comparison, results.demonstrations.value.time),
                name="token-errors",
                alt="Error of single tokens against the number of active features, one panel a dictionary",
            ),
            "Error of a row, on common axes: its squared distance to its reconstruction over the mean squared distance "
            "to the mean row. The mean of the error is the FVU. Rows of one L0 are spread sideways. Orange: outliers, "
            "above the upper quartile by more than 1.5 interquartile ranges of the error's logarithm.",
            source=source(artefact),
        ),
        *_worst(results, comparison, draw),
        table_block(
            table_html(_parts(comparison)),
            "Parts that decide most often: in how many windows the action changes when what the part does is taken "
            "from another window with as many real slots, in most of the draws. Slots count from the left, pads "
            "included; which env time they hold differs between windows.",
            source=source(artefact),
        ),
        *(_example(results, example, draw) for example in comparison.examples),
        *_linear(results, comparison),
    )


def _worst(results: StudyResults, comparison: DictionaryComparison, draw: Draw) -> list[Html]:
    trajectories = results.demonstrations.value
    frame_id = trajectories.frame_id[comparison.step].long()
    blocks = []
    for place, name in enumerate(comparison.name):
        errors = comparison.errors(place)
        worst = errors.worst(frame_id, N_WORST).tolist()
        strips = [
            filmstrip(
                window(trajectories, comparison.last_step[[row]], results.model.value.n_slots),
                draw,
                framed=int(comparison.slot[row]),
                note=f"frame {int(frame_id[row])}, error {float(errors.error[row]):.2g}",
            )
            for row in worst
        ]
        judged = results.gate_of(name, comparison.site[place])
        summary = (
            f"{name} at {comparison.site[place]}: the worst rows; {plural(errors.n_outliers, 'outlier')}, mean error "
            f"{errors.fvu:.2g}; gate: {judged}"
        )
        blocks.append(details(summary, *strips))
    return blocks


def _parts(comparison: DictionaryComparison) -> pd.DataFrame:
    deciding = sorted(comparison.parts, key=lambda each: -each.share.estimate)[:N_PARTS]
    return pd.DataFrame(
        {"part": each.part, "windows (that have it)": each.share.n, "flipped": each.share} for each in deciding
    )


def _example(results: StudyResults, example: Example, draw: Draw) -> Html:
    n_slots = results.model.value.n_slots
    shown = window(results.demonstrations.value, torch.tensor([example.last_step]), n_slots)
    said = ACTIONS[example.action]
    why = (
        f"Intact, the model says {said}, as the demonstration does. With {example.part} taken from another window it "
        f"says {ACTIONS[example.instead]}: {said} loses {example.lost:.2f} of its probability."
        if example.part
        else f"The model says {said}."
    )
    return element(
        "div",
        element("h3", f"Window that ends at step {example.last_step}"),
        paragraph(why),
        filmstrip(shown, draw, framed=n_slots - 1, note="features below"),
        element("div", table_html(_seen(results, example)), class_="scroll"),
    )


def _seen(results: StudyResults, example: Example) -> pd.DataFrame:
    """Return one row per dictionary, its features with their labels where they have good ones."""
    return pd.DataFrame(
        {
            "dictionary": column([_named(results, each.name, each.site) for each in example.seen]),
            "L0": [each.l0 for each in example.seen],
            "missed": [each.error for each in example.seen],
            "features (strongest first)": column(
                [
                    join(
                        (_feature(results, each.name, each.site, one.feature, one.value) for one in each.features), " "
                    )
                    for each in example.seen
                ]
            ),
        }
    )


def _linear(results: StudyResults, comparison: DictionaryComparison) -> list[Html]:
    telling = sorted(
        (each for each in comparison.linear if each.features),
        key=lambda each: (each.layer, -each.features[0].difference.estimate),
    )
    if not telling or results.comparison is None:
        return []
    shown = [each for layer in sorted({each.layer for each in telling}) for each in _of(telling, layer)[:N_COSTS]]
    return [
        table_block(
            table_html(_costs(results, shown)),
            "A linear map in place of an MLP, fitted by least squares to other windows: linear loss minus MLP loss in "
            "nats per action, over all rows, and where that feature is on and off for which it differs most, of those "
            f"{N_COSTS} dictionaries where it differs most. "
            "Intervals are 95% bootstraps over episodes. The best of many is flattered by the choice: by chance "
            "is the largest difference of any feature of that dictionary when rows have the excess of other rows.",
            source=source(results.comparison.artefact),
        )
    ]


def _of(costs: Sequence[LinearCost], layer: int) -> list[LinearCost]:
    return [each for each in costs if each.layer == layer]


def _costs(results: StudyResults, costs: Sequence[LinearCost]) -> pd.DataFrame:
    worst = [each.features[0] for each in costs]
    features = [_feature(results, each.name, each.site, one.feature) for each, one in zip(costs, worst, strict=True)]
    return pd.DataFrame(
        {
            "MLP": [each.layer for each in costs],
            "FVU (of the map)": [each.fvu for each in costs],
            "linear − MLP loss": [each.excess for each in costs],
            "dictionary": column([_named(results, each.name, each.site) for each in costs]),
            "feature": column(features),
            "on": [each.on for each in worst],
            "off": [each.off for each in worst],
            "on − off": [each.difference for each in worst],
            "by chance": [f"up to {decimal(max(each.by_chance), 3)}" if each.by_chance else "–" for each in costs],
        }
    )


def _named(results: StudyResults, name: str, site: str) -> Html:
    return words(name, element("small", site, class_="below"), gate_mark(results, name, site))


def _feature(results: StudyResults, name: str, site: str, feature: int, value: float | None = None) -> Html:
    label = results.label_of(name, site, feature)
    number = f"{feature}" if value is None else f"{feature}: {decimal(value, 1)}"
    return element("span", element("b", number), f" {label}" if label else "", class_="feature")
