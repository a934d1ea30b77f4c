"""A comparison of models becomes what their classes share with the world and each other, and what differences cost."""

from collections.abc import Sequence

import pandas as pd

from dtinterp.equivalence.compared_partitions import CERTIFIED, LOOKS, UNTRAINED
from dtinterp.equivalence.model_comparison import MATTERS, ModelComparison, ModelContrasts
from dtinterp.equivalence.truth.disagreements import NO_CONFUSIONS, Contrast
from dtinterp.equivalence.truth.key_ball_symmetry import Reflection
from dtinterp.report.costs import distractions_ranked, loss, shown_of
from dtinterp.report.evidence import bits, plural, source
from dtinterp.report.filmstrip import Draw
from dtinterp.report.html import Html, element, words
from dtinterp.report.layout import column, paragraph, section, table_block, table_html
from dtinterp.report.results import Sourced, StudyResults

N_CONTRASTS = 6
"""Distractions whose pictures are shown."""


def agreement_section(results: StudyResults, draw: Draw) -> Html:
    """Return the section; nothing where the classes were not compared."""
    if results.agreement is None:
        return words()
    report, artefact = results.agreement.value, results.agreement.artefact
    name = results.model.artefact.name
    return section(
        "agreement",
        "Held against the world, and against other models",
        table_block(
            table_html(relation_table(report, name)),
            f"Every relation of {name} against every partition of the world: adjusted Rand index with the central 95% "
            "over random halves of the observations. Relations without a threshold of their own are cut into as many "
            f"classes as the certified ones. {_controls(report, name)}",
            source=source(artefact),
        ),
        table_block(
            table_html(variation_table(report)),
            f"The certified classes against {MATTERS}: bits that they lose of it, and bits that they keep in excess.",
            source=source(artefact),
        ),
        *_kinships(results.agreement),
        *(_contrasts(portrait, draw, name) for portrait in report.portraits if portrait.model == name),
        element("h3", "The mirror of key and ball"),
        table_block(
            table_html(mirror_table(report)),
            "How far the model tells a window from its mirror image, key and ball exchanged: 0 collapses them, 1 is as "
            "far as two different windows at the same slot; and the mean divergence of the decisions, beside that of "
            "two different windows.",
            source=source(artefact),
        ),
    )


def relation_table(report: ModelComparison, name: str) -> pd.DataFrame:
    """Return one row per relation of a model, one column per partition of the world; cells are intervals."""
    rows = [row for row in report.against if row.model == name]
    found: dict[str, dict[str, object]] = {}
    for row in rows:
        cells = found.setdefault(row.relation, {"relation": row.relation, "classes": row.agreement.n_classes})
        cells[f"{row.world} ({row.agreement.n_reference_classes} classes)"] = row.agreement.ari
    return pd.DataFrame(list(found.values()))


def _controls(report: ModelComparison, name: str) -> str:
    """Say what the last rows of a model's relations are."""
    never = f"“{UNTRAINED}” is one of the same shape that never learnt"
    if not any(row.relation == LOOKS for row in report.against if row.model == name):
        return f"{never}."
    return (
        f"The last two rows are controls: “{LOOKS}” knows nothing but which cells of two observations show the same, "
        f"and {never}. What does not stand above them follows looks."
    )


def variation_table(report: ModelComparison) -> pd.DataFrame:
    """Return one row per model: its certified classes against the partition that matters."""
    return pd.DataFrame(
        {
            "model": row.model,
            "classes": row.agreement.n_classes,
            "ARI": row.agreement.ari,
            "ARI (random classes)": row.agreement.random,
            "p (Holm)": row.p_holm,
            "lost (bits)": row.variation.lost,
            "in excess (bits)": row.variation.excess,
        }
        for row in report.against
        if (row.relation, row.world) == (CERTIFIED, MATTERS)
    )


def mirror_table(report: ModelComparison) -> pd.DataFrame:
    """Return one row per model, and one per untrained twin: what it makes of mirror images."""
    rows = [
        {
            "model": name,
            **_depths(reflection),
            "decisions (bits)": reflection.mean,
            "two windows (bits)": reflection.other,
            "largest (bits)": reflection.maximum,
        }
        for portrait in report.portraits
        for name, reflection in ((portrait.model, portrait.reflection), ("… untrained", portrait.untrained))
    ]
    return pd.DataFrame(rows, dtype=object)  # or None would become a number


def _depths(reflection: Reflection) -> dict[str, float | None]:
    """Return how distinct mirror images are at three depths, which models of any number of blocks have."""
    after = [place for place, site in enumerate(reflection.sites) if site.endswith("hook_resid_post")]
    depths = {"embedding": 0, "after the first block": after[0], "after the last block": after[-1]}
    return {name: reflection.distinct[place] for name, place in depths.items()}


def _kinships(agreement: Sourced[ModelComparison]) -> list[Html]:
    if not agreement.value.kinships:
        return []
    table = pd.DataFrame(
        {
            "model": kin.model,
            "other": kin.other,
            "observations (of both)": kin.n_frames,
            "ARI": kin.agreement.ari,
            "ARI (random classes)": kin.agreement.random,
            "p (Holm)": kin.p_holm,
        }
        for kin in agreement.value.kinships
    )
    caption = "How far the certified classes of two models agree on the observations that both were certified on."
    return [table_block(table_html(table), caption, source=source(agreement.artefact))]


def _contrasts(portrait: ModelContrasts, draw: Draw, name: str) -> Html:
    found = portrait.contrasts
    return words(
        element("h3", "Distractions"),
        paragraph(
            f"Of {plural(found.n_alike, 'pair')} that nothing ever paid tells apart, {name} keeps "
            f"{found.n_distractions} apart. What it loses by one is exact: its expected return when it is shown one "
            f"for the other. {NO_CONFUSIONS}"
        ),
        _ranking("Distractions", found.distractions, distractions_ranked(found), draw, n=found.n_distractions),
    )


def _ranking(title: str, ranked: Sequence[Contrast], order: str, draw: Draw, *, n: int) -> Html:
    if not ranked:
        return paragraph(f"{title}: none to show.")
    shown = ranked[:N_CONTRASTS]
    table = pd.DataFrame(
        {
            "pair": column([element("div", draw(each.frame), draw(each.other), class_="members") for each in shown]),
            "frames": [f"{each.frame}, {each.other}" for each in shown],
            "apart": [bits(each.divergence) for each in shown],
            "the model loses": [loss(each.lost) for each in shown],
        }
    )
    return table_block(table_html(table), f"{title}, {shown_of(len(shown), n)}. {order}")
