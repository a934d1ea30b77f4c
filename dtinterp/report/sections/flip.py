"""An intervention report becomes the section on the instruction flip, with what speaks against it."""

import pandas as pd

from dtinterp.interventions.instruction_flip.report import InterventionReport
from dtinterp.report.caveats import WEAK_CONTROL
from dtinterp.report.evidence import cite, count, percentage, plural, source
from dtinterp.report.figures.flip import dose_figure, endings_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import figure_block, listing, paragraph, section, table_block, table_html
from dtinterp.report.results import Sourced, StudyResults


def flip_section(results: StudyResults) -> Html:
    """Return the section that sets one direction to the other instruction, beside random directions."""
    if results.intervention is None:
        return section("flip", "Flipping the instruction", paragraph("The experiment was not run in this study."))
    return section(
        "flip",
        "Flipping the instruction",
        *_method(results.intervention),
        *_verdict(results.intervention),
        *_figures(results.intervention),
        *_decoys(results.intervention),
    )


def _method(sourced: Sourced[InterventionReport]) -> list[Html]:
    report, artefact = sourced.value, sourced.artefact
    dose, specification = report.dose, report.specification
    return [
        element(
            "p",
            element(
                "strong",
                "Setting one direction to the other instruction turns ",
                cite(f"{dose.n_turned} of {len(report.configurations)} configurations", artefact),
                ". ",
            ),
            f"{plural(len(dose.controls), 'random direction')}, moved exactly as far, turn ",
            cite(percentage(dose.control_share), artefact),
            f" of configurations (p = {dose.p_value:.3g}).",
            class_="lead",
        ),
        paragraph(
            "The direction is ",
            "the first principal component"
            if specification.direction == "first_component"
            else "the difference of means",
            " of the embeddings of keys and balls where an instruction can stand; it holds ",
            cite(f"{report.direction.explained:.1%}", artefact),
            " of their variance, and every key lies "
            if report.direction.is_separating
            else " of their variance, but not every key lies ",
            "above every ball. It is set at ",
            element("code", specification.site),
            ", in the token of the first observation only, while the model is asked for "
            f"{specification.target_return:g}.",
        ),
    ]


def _verdict(sourced: Sourced[InterventionReport]) -> list[Html]:
    refutations = sourced.value.refutations
    if not refutations:
        return [paragraph(f"What would have refuted the claim was looked for and not found. {WEAK_CONTROL}")]
    claim = "This direction is how the model holds the instruction"
    head = element("p", element("strong", f"Against the claim “{claim}”: "))
    return [element("div", head, listing(list(refutations)), class_="warning")]


def _figures(sourced: Sourced[InterventionReport]) -> list[Html]:
    report, artefact = sourced.value, sourced.artefact
    unit = (
        "1 is what a key’s picture puts there, −1 a ball’s"
        if report.specification.unit == "instruction"
        else "in activation units"
    )
    blocks = [
        figure_block(
            figure_html(
                dose_figure(report), name="dose", alt="Logit difference against the coefficient, by configuration"
            ),
            f"Preference for left over right where the turn is due, against what the direction was set to ({unit}). "
            "Names: instruction, then the left and the right target. Grey: random directions moved as far.",
            source=source(artefact),
        )
    ]
    if report.closed_loop:
        counts = join(
            [
                f"{loop.sampler}: {count(loop.opposite.other_target.n)} episodes an arm, p = {loop.p_value:.3g}"
                for loop in report.closed_loop
            ],
            "; ",
        )
        blocks.append(
            figure_block(
                figure_html(
                    endings_figure(report.closed_loop), name="endings", alt="How whole episodes end in each arm"
                ),
                words(
                    "How whole episodes end while the direction is held, all arms from the same starts (", counts, ")."
                ),
                source=source(artefact),
            )
        )
        blocks.append(
            table_block(
                table_html(_endings_table(report)),
                "Share of episodes that end at the other target.",
                source=source(artefact),
            )
        )
    return blocks


def _endings_table(report: InterventionReport) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sampler": loop.sampler,
            "intact": loop.intact.other_target,
            "set to the instruction shown": loop.same.other_target,
            "set to the other one": loop.opposite.other_target,
            "random directions": loop.control.other_target,
            "p": loop.p_value,
        }
        for loop in report.closed_loop
    )


def _decoys(sourced: Sourced[InterventionReport]) -> list[Html]:
    report = sourced.value
    if not report.specification.decoys:
        return []
    rows = []
    for cells, restored in zip(report.specification.decoys, report.restored.tolist(), strict=True):
        named = " and ".join(f"({x},{y})" for x, y in cells)
        rows.append({"decoy at": named, **dict(zip(report.configurations, restored, strict=True))})
    return [
        table_block(
            table_html(pd.DataFrame(rows)),
            "Decoys: how far the other object, added to the first observation, goes towards the flipped instruction; "
            "1 is all the way, (LD_edit − LD_original) / (LD_flipped − LD_original). One number a configuration, "
            "without interval: each is a single exact run.",
            source=source(sourced.artefact),
        )
    ]
