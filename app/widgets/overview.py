"""Figures and tables on all observations together."""

import streamlit as st

from app.catalogue import OpenStudy
from dtinterp.equivalence.report import EquivalenceReport
from dtinterp.report.figures.equivalence import agreement_figure, divergence_figure
from dtinterp.report.figures.quotient import quotient_figure
from dtinterp.report.style import CONFIG
from dtinterp.report.tables import (
    agreement_table,
    certificate_table,
    divergence_map,
    in_words,
    joint_table,
    quotient_table,
    wandering_table,
)


def show_overview(opened: OpenStudy) -> None:
    """Show how the classes fare as a whole, agreement with the world beside its controls, and all certificates."""
    report = opened.report
    if report.joint is not None:
        st.markdown("Every observation that is remembered shown as a member of its class at once, in fresh histories:")
        st.dataframe(in_words(joint_table(report.joint)), hide_index=True)
    if report.wandering is not None:
        st.markdown(
            f"Played from wherever up to {report.config.most_random} random actions led, beside classes that cost "
            "nothing from the starts:"
        )
        st.dataframe(in_words(wandering_table(report.wandering)), hide_index=True)
    st.markdown(_behaviour(report))
    st.plotly_chart(quotient_figure(report.behaviour), theme=None, config=CONFIG, key="quotient")
    st.dataframe(in_words(quotient_table(report)), hide_index=True)
    for comparison in report.ranked:
        verdict = "follow" if comparison.holds else "are **not** shown to follow"
        trained, untrained = comparison.trained, comparison.untrained
        st.markdown(
            f"- The classes {verdict} “{comparison.world}”: ARI {trained.ari}, random classes "
            f"{trained.random}, untrained {untrained.ari}"
        )
    st.plotly_chart(agreement_figure(report.comparisons), theme=None, config=CONFIG, key="agreement")
    st.dataframe(in_words(agreement_table(report)), hide_index=True)
    st.plotly_chart(divergence_figure(divergence_map(report)), theme=None, config=CONFIG, key="divergences")
    st.dataframe(certificate_table(report), hide_index=True)


def _behaviour(report: EquivalenceReport) -> str:
    behaviour = report.behaviour
    conclusion = "acts" if report.behaviour.is_kept else "is **not** shown to act"
    return (
        f"Greedily from the starts, the model {conclusion} on its classes as on its observations: shown one "
        "representative of each, it earns "
        f"{behaviour.classes.earned.expected_return:.3f} of {behaviour.intact.expected_return:.3f}, on random classes "
        f"{behaviour.classes.random_return}, on an untrained model's "
        f"{behaviour.untrained_classes.earned.expected_return:.3f}."
    )
