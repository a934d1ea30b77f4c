"""Explained pairs and classes become the features that keep observations apart, and those that they share."""

from collections.abc import Iterable, Sequence

import pandas as pd

from dtinterp.activations.sites import OBSERVATION_EMBEDDING
from dtinterp.equivalence.explain.storage import ExplainedClasses, ExplainedPair
from dtinterp.foundation.statistics import Interval
from dtinterp.report.evidence import bits, cite, percentage, plural, source
from dtinterp.report.filmstrip import Draw
from dtinterp.report.gate_mark import gate_mark
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import column, paragraph, section, table_block, table_html
from dtinterp.report.results import Sourced, StudyResults

N_CLASSES = 6
"""Classes whose features are listed, the largest ones."""
N_PICTURES = 6
"""Observations of each that are shown."""


def why_section(results: StudyResults, draw: Draw) -> Html:
    """Return the section; nothing where neither pairs nor classes were explained."""
    if not results.pairs and results.explained is None:
        return words()
    blocks = [*_pairs(results, draw)]
    if results.explained is not None:
        blocks += _classes(results, results.explained, draw)
    return section("why", "Why: what features say", *blocks)


def prediction_table(explained: ExplainedClasses) -> pd.DataFrame:
    """Return one row per distance: how well it tells which pairs are interchangeable."""
    return pd.DataFrame(
        {"distance": each.name, "AUROC": each.auroc, "precision": each.precision, "p (Holm)": each.p_value}
        for each in explained.predictions.distances
    )


def _pairs(results: StudyResults, draw: Draw) -> list[Html]:
    if not results.pairs:
        return []
    shown = [each.value for each in results.pairs]
    table = pd.DataFrame(
        {
            "pair": column([element("div", draw(each.first), draw(each.second), class_="members") for each in shown]),
            "apart": [bits(each.found.divergence) for each in shown],
            "features (differ)": [len(each.found.differing) for each in shown],
            "smallest set": column([_set(results, each) for each in shown]),
            "left": [bits(each.found.left) for each in shown],
            "random directions": column([_share(each.found.random_directions) for each in shown]),
            "… where frames differ": column([_share(each.found.random_differences) for each in shown]),
            "random sets": column([_share(each.found.random_features) for each in shown]),
            "… as far": column([_share(each.found.random_features_as_far) for each in shown]),
        }
    )
    names = list(dict.fromkeys(each.dictionary for each in shown))
    artefacts = element("span", join((cite(each.artefact.name, each.artefact) for each in results.pairs), ", "))
    return [
        paragraph(
            "Features in which two observations differ are exchanged: each gets them as the other has them. The "
            f"smallest set found (of {', '.join(names)}) that leaves no more than ε in held-out windows of both stands "
            "beside how often a random direction, as long, and a random set of as many differing features are enough. "
            "The harder controls are directions in which observations do differ, and the same sets, what they move "
            "made as long; “–” where nothing was tried."
        ),
        *(_marked(results, name) for name in names),
        table_block(
            table_html(table),
            "What keeps classes apart: their most visited observations, class by class from the largest on.",
            source=words("Source: ", artefacts),
        ),
    ]


def _marked(results: StudyResults, dictionary: str) -> Html:
    """Say whether the dictionary whose features are named passes its gate."""
    return paragraph(element("strong", dictionary), gate_mark(results, dictionary, OBSERVATION_EMBEDDING))


def _set(results: StudyResults, each: ExplainedPair) -> Html:
    if each.found.features is None:
        return words("none is enough")
    if each.found.is_interchangeable:
        return words("none needed")
    note = "" if each.found.is_smallest else element("small", "smaller ones not all tried", class_="below")
    return words(_features(results, each.dictionary, each.found.features), note)


def _features(results: StudyResults, dictionary: str, features: Iterable[int]) -> Html:
    labelled = [(feature, results.label_of(dictionary, OBSERVATION_EMBEDDING, feature)) for feature in features]
    return join(
        (
            element("span", element("b", str(feature)), f" {label}" if label else "", class_="feature")
            for feature, label in labelled
        ),
        " ",
    )


def _share(share: Interval | None) -> Html:
    return words("–") if share is None else percentage(share)


def _classes(results: StudyResults, explained: Sourced[ExplainedClasses], draw: Draw) -> list[Html]:
    value, artefact = explained.value, explained.artefact
    found, dimensions = value.predictions, value.dimensions
    return [
        element("h3", "What the members of a class share"),
        _marked(results, value.dictionary),
        table_block(
            table_html(_anatomy(results, value, draw)),
            f"The largest classes and the features of {value.dictionary} that are active in all members (and not in "
            "every observation), and how many are active in some members only: they differ, and no decision tells.",
            source=source(artefact),
        ),
        element("h3", "Do features foretell what swaps find?"),
        _marked(results, value.dictionary),
        table_block(
            table_html(prediction_table(value)),
            f"Which of {plural(found.n_pairs, 'pair')} are interchangeable ({found.n_interchangeable} are), told by a "
            "distance: area under the ROC curve (one half is chance) with the central 95% over resamples of the "
            "observations, and precision among the closest pairs, as many as there are interchangeable ones.",
            source=source(artefact),
        ),
        paragraph(
            "Learned on half of the observations and judged on the other half: ",
            join((words(f"{name} ", cite(str(area), artefact)) for name, area in _learned(value)), "; "),
            ". The effective dimension of the embeddings is ",
            cite(f"{dimensions.embeddings:.1f}", artefact),
            ", and ",
            cite(f"{dimensions.representatives:.1f}", artefact),
            " when each class counts as one of its observations.",
        ),
    ]


def _learned(explained: ExplainedClasses) -> Sequence[tuple[str, Interval]]:
    return sorted(explained.learned.auroc.items(), key=lambda each: -each[1].estimate)


def _anatomy(results: StudyResults, explained: ExplainedClasses, draw: Draw) -> pd.DataFrame:
    report, shown = results.equivalence.value, explained.classes[:N_CLASSES]
    members = [report.chosen.frame_id[report.partition.members(each.label)].tolist() for each in shown]
    return pd.DataFrame(
        {
            "class": [each.label for each in shown],
            "observations": column(
                [element("div", join(draw(frame) for frame in each[:N_PICTURES]), class_="members") for each in members]
            ),
            "members": [each.n_members for each in shown],
            "features (in all)": column([_features(results, explained.dictionary, each.shared) for each in shown]),
            "features (ignored)": [len(each.ignored) for each in shown],
        }
    )
