"""What was tried to break the classes becomes the part of the page that says how far they can be trusted."""

from collections.abc import Sequence

from dtinterp.equivalence.classes.failure_bounds import Bound
from dtinterp.equivalence.classes.verification import Verification
from dtinterp.equivalence.levels import level_at
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.evidence import bits, cite, count, number, plural, source
from dtinterp.report.figures.dendrogram import dendrogram_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.html import Content, Html, element, words
from dtinterp.report.layout import figure_block, listing, table_block, table_html
from dtinterp.report.results import StudyResults
from dtinterp.report.tables import arm_table


def scrutiny_block(results: StudyResults) -> Html:
    """Return how the classes fared in contexts that they were not made from; nothing where none was tried."""
    report, artefact = results.equivalence.value, results.equivalence.artefact
    if report.scrutiny is None:
        return words()
    controls = words()
    if report.scrutiny.arms:
        controls = table_block(
            table_html(arm_table(report)),
            "The same fresh contexts, with class-mates and with what should not pass: made-up embeddings as far away "
            "as the class-mates, and as many observations of other classes. p: one-sided sign test over contexts "
            "against class-mates.",
            source=source(artefact),
        )
    return words(
        element("h3", "How far the certificates reach"),
        listing(_statements(results, report, report.scrutiny)),
        controls,
        figure_block(
            figure_html(
                dendrogram_figure(report, level_at(report, report.config.epsilon)),
                name="dendrogram",
                alt="Tree of the observations: which join at which divergence",
            ),
            "Classes at every ε: a horizontal cut gives the classes that the swaps alone make at that ε. Coloured: the "
            "certified ones of more than one observation; dotted, where a counterexample broke a class.",
            source=source(artefact),
        ),
    )


def _statements(results: StudyResults, report: EquivalenceReport, scrutiny: Verification) -> list[Content]:
    artefact = results.equivalence.artefact
    found = [
        words(
            "Counterexamples: ",
            cite(count(sum(each.n_counterexamples for each in scrutiny.rounds)), artefact),
            f" of {count(sum(each.n_swaps for each in scrutiny.rounds))} swaps of class-mates in fresh contexts moved "
            f"a decision by more than ε. {plural(scrutiny.formed.n_classes, 'class', 'classes')} became ",
            cite(str(report.partition.n_classes), artefact),
            f" in {plural(len(scrutiny.rounds), 'round')}. ",
            ""
            if report.is_refined_to_the_end
            else "The rounds were used up while the last one still found some: more rounds would split more classes.",
        )
    ]
    if scrutiny.bounds:
        n_failures = sum(bound.n_failures for bound in scrutiny.bounds)
        n_contexts = sum(bound.n_contexts for bound in scrutiny.bounds)
        n_clean = sum(not bound.n_failures for bound in scrutiny.bounds)
        found.append(
            words(
                "Bound: in contexts that no class was chosen by, ",
                cite(f"{count(n_failures)} of {count(n_contexts)}", artefact),
                f" failed; {n_clean} of {plural(len(scrutiny.bounds), 'shared class', 'shared classes')} never did. "
                "Each class has its share of failures in the table of certificates. "
                + _exact(scrutiny.bounds, report.config.population),
            )
        )
    if scrutiny.stability is not None:
        found.append(
            words(
                "Stability: classes from one half of each observation’s contexts agree with those from the other half "
                "at ARI ",
                cite(number(scrutiny.stability), artefact),
                ": which contexts are drawn matters, and that is what counterexamples are for.",
            )
        )
    return [*found, *_reachable(results, scrutiny)]


def _exact(bounds: Sequence[Bound], population: str) -> str:
    """Say of how many classes the share of failures is known, and of how many it is bounded from a part."""
    n_exact = sum(bound.is_exact for bound in bounds)
    if n_exact == len(bounds):
        return f"It is exact, since all {population} of their observations were tried."
    if not n_exact:
        return (
            f"It is exact for none, since none was tried in all {population} of its observations: it is a "
            "Clopper–Pearson bound at 95%."
        )
    return (
        f"It is exact for the {n_exact} that were tried in all {population} of their observations, and a "
        f"Clopper–Pearson bound at 95% for the other {len(bounds) - n_exact}."
    )


def _reachable(results: StudyResults, scrutiny: Verification) -> list[Content]:
    if scrutiny.reachable is None:
        return []
    report, artefact = results.equivalence.value, results.equivalence.artefact
    n_contexts = scrutiny.reachable.n_contexts.clone().fill_diagonal_(0)
    label = report.partition.label
    inside = (label[:, None] == label) & (n_contexts > 0)
    worst = scrutiny.reachable.maximum[inside]
    said = f", where they moved a decision by at most {bits(float(worst.max()))}" if len(worst) else ""
    return [
        words(
            "Reachable: in ",
            cite(count(int(n_contexts.sum())), artefact),
            f" of {count(report.n_swaps)} swaps the world might truly have shown the stand-in just then; "
            f"{count(int(n_contexts[inside].sum()))} of them were inside a class{said}.",
        )
    ]
