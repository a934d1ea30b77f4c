"""An equivalence report becomes the heart of the page: the finding, its controls, and the classes as pictures."""

from dtinterp.equivalence.ordering import class_order
from dtinterp.equivalence.truth.agreement import WorldComparison
from dtinterp.report.caveats import caveats
from dtinterp.report.evidence import bits, cite, count, number, plural, source, verb
from dtinterp.report.figures.equivalence import agreement_figure, divergence_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.figures.quotient import quotient_figure
from dtinterp.report.filmstrip import Draw
from dtinterp.report.html import Content, Html, element, words
from dtinterp.report.layout import details, figure_block, listing, paragraph, section, table_block, table_html
from dtinterp.report.results import StudyResults
from dtinterp.report.sections.classes import class_gallery, loners, worst_swaps
from dtinterp.report.sections.scrutiny import scrutiny_block
from dtinterp.report.tables import agreement_table, certificate_table, quotient_table


def equivalence_section(results: StudyResults, draw: Draw) -> Html:
    """Return the section on the classes, the finding first."""
    report, artefact = results.equivalence.value, results.equivalence.artefact
    return section(
        "equivalence",
        "What the model takes for the same",
        _finding(results),
        element("div", *map(paragraph, caveats(report)), class_="warning"),
        listing([_verdict(comparison, results) for comparison in report.ranked], class_="verdicts"),
        figure_block(
            figure_html(
                agreement_figure(report),
                name="agreement",
                alt="Adjusted Rand index of the model's classes with each partition of the world, beside controls",
            ),
            "Agreement of the model’s classes with the world’s own partitions of the same observations. Grey bands: "
            f"{report.config.n_draws} random classes of the same sizes. Whiskers: the central 95% over random halves "
            "of the observations.",
            source=source(artefact),
        ),
        details(
            "The same in numbers",
            table_block(
                table_html(agreement_table(report)), "Every comparison with its controls.", source=source(artefact)
            ),
        ),
        element("h3", "Acting on classes alone"),
        paragraph(_behaviour(results)),
        figure_block(
            figure_html(
                quotient_figure(report.behaviour),
                name="quotient",
                alt="Expected return against the number of classes that are left, beside controls",
            ),
            "What the model earns when it is shown one representative of each class, at every step and in every slot: "
            "greedy, exact, over all starts. Fewer classes to the right. Grey band: random classes of the sizes of the "
            f"model’s, {report.config.n_quotient_draws} draws.",
            source=source(artefact),
        ),
        details(
            "The same in numbers",
            table_block(table_html(quotient_table(report)), "Each partition that has a name.", source=source(artefact)),
        ),
        element("h3", "The classes"),
        paragraph(
            f"Observations of one class can stand in for one another: in all {report.config.population} that "
            "the classes were made from, at the moment of the swap and at every later decision still in the "
            f"window, the action distribution moved by no more than {report.config.epsilon:g} bits "
            "(Jensen–Shannon; 1 bit is no action in common). Below each class, its certificate, which counts "
            "what was met in other contexts too, and the facts that hold at every demonstrated step that shows "
            "one of its observations.",
        ),
        class_gallery(results, draw),
        loners(results, draw),
        scrutiny_block(results),
        element("h3", "The swaps that came closest to telling them apart"),
        worst_swaps(results, draw),
        element("h3", "All divergences"),
        figure_block(
            figure_html(
                divergence_figure(report),
                name="divergences",
                narrow=True,
                alt="Heat map of the largest divergence between every two observations",
            ),
            "The largest divergence of every two observations over all contexts, ordered by class; boxes mark "
            "classes of more than one.",
            source=source(artefact),
        ),
        details(
            "Every certificate",
            table_block(
                table_html(certificate_table(report).iloc[class_order(report.partition, report.chosen).numpy()]),
                "What was tried inside each class, and the most that came of it.",
                source=source(artefact),
            ),
        ),
    )


def _finding(results: StudyResults) -> Html:
    report, artefact = results.equivalence.value, results.equivalence.artefact
    n_shared = int((report.partition.sizes > 1).sum())
    n_alone = int((report.partition.sizes == 1).sum())
    worst = max(certificate.maximum for certificate in report.certificates)
    n_flips = sum(certificate.n_flips for certificate in report.certificates)
    n_inside = sum(certificate.n_swaps for certificate in report.certificates)
    lead: Content = words(
        "Of ",
        cite(plural(len(report.chosen.frame_id), "observation"), artefact),
        " the model tells ",
        cite(plural(report.partition.n_classes, "class", "classes"), artefact),
        " apart. ",
    )
    return element(
        "p",
        element("strong", lead),
        f"{plural(n_shared, 'class', 'classes')} {verb(n_shared, 'holds', 'hold')} more than one observation, "
        f"{n_alone} {verb(n_alone, 'holds', 'hold')} just one. Of ",
        cite(f"{count(report.n_swaps)} swaps", artefact),
        f" in {count(report.n_contexts)} {report.config.kind} contexts, {count(n_inside)} were inside a class; the "
        "worst of those moved a decision by ",
        cite(bits(worst), artefact),
        " and ",
        cite(str(n_flips), artefact),
        " changed the most likely action, which takes little where two actions are nearly as likely. Of all that was "
        "ever tried inside a class, the worst moved one by ",
        cite(bits(max(each.maximum for each in report.totals)), artefact),
        f". The observations are the most visited, {report.chosen.coverage:.1%} of {count(report.chosen.n_steps)} "
        f"{report.config.kind} steps, which show {count(report.chosen.n_distinct)} in all.",
        class_="lead",
    )


def _behaviour(results: StudyResults) -> Html:
    report, artefact = results.equivalence.value, results.equivalence.artefact
    behaviour = report.behaviour
    conclusion = (
        "Greedily from the starts, the model acts on its classes as on its observations"
        if report.behaviour.is_kept
        else "It is not shown that the model, greedily from the starts, acts on its classes as on its observations"
    )
    return words(
        element("strong", conclusion),
        ": it earns ",
        cite(f"{behaviour.classes.earned.expected_return:.3f}", artefact),
        f" of {behaviour.intact.expected_return:.3f} on {plural(behaviour.classes.n_classes, 'class', 'classes')}, ",
        cite(number(behaviour.classes.random_return), artefact),
        " on random classes of the same sizes, and ",
        cite(f"{behaviour.untrained_classes.earned.expected_return:.3f}", artefact),
        " on as many classes of an untrained model. That says nothing of observations that it never meets so.",
    )


def _verdict(comparison: WorldComparison, results: StudyResults) -> Html:
    artefact = results.equivalence.artefact
    trained = comparison.trained
    conclusion = "follows" if comparison.holds else "is not shown to follow"
    reasons = {
        "no better than random classes": not comparison.beats_random,
        "no better than an untrained model": not comparison.beats_untrained,
    }
    shortfall = " and ".join(reason for reason, holds in reasons.items() if holds)
    return words(
        element("strong", f"The model {conclusion} “{comparison.world}”"),
        f" ({shortfall})" if shortfall else "",
        ": ARI ",
        cite(number(trained.ari), artefact),
        ", random classes ",
        cite(number(trained.random), artefact),
        f" (p = {comparison.p_holm:.3g}, Holm-adjusted over the partitions), untrained ",
        cite(number(comparison.untrained.ari), artefact),
        f" with as many classes and {comparison.untrained_at_epsilon.ari.estimate:.2f} at the same ε.",
    )
