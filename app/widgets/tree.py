"""The slider over epsilon, and the tree that classes are cut from."""

import streamlit as st

from app.address import settle
from app.catalogue import OpenStudy
from app.pictures import title_of
from dtinterp.equivalence.levels import Level, epsilons, level_at
from dtinterp.report.figures.dendrogram import dendrogram_figure
from dtinterp.report.style import CONFIG
from dtinterp.report.tables import class_tree
from dtinterp.report.words import plural


def choose_level(opened: OpenStudy) -> Level:
    """Show the slider over epsilon, and return the classes at the one that was chosen."""
    level, certified = chosen_level(opened), f"{opened.report.config.epsilon:g}"
    slider, button = st.columns([5, 1], vertical_alignment="bottom")
    slider.select_slider(
        "ε: bits that two observations of one class may be apart (left: every one alone, right: all one class)",
        _options(opened),
        key="epsilon",
        format_func=lambda epsilon: f"{epsilon} · certified" if epsilon == certified else epsilon,
    )
    button.button("Certified ε", on_click=_set_epsilon, args=(certified,), disabled=level.is_certified, width="stretch")
    st.caption(_said(opened, level))
    return level


def chosen_level(opened: OpenStudy) -> Level:
    """Return the classes at the epsilon of the slider, whether or not this view draws it."""
    return _cut(opened, float(settle("epsilon", _options(opened), default=f"{opened.report.config.epsilon:g}")))


def show_tree(opened: OpenStudy, level: Level, chosen: int) -> None:
    """Show the tree with the observation in row `chosen` ringed; a click on another leaf chooses that one."""
    frame = opened.frames[chosen]
    key = f"tree/{frame}/{level.epsilon:g}"

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points:
            st.session_state["frame"] = str(points[0]["customdata"])

    st.plotly_chart(
        dendrogram_figure(class_tree(opened.report, level), chosen=chosen),
        theme=None,
        config=CONFIG,
        key=key,
        on_select=clicked,
        selection_mode="points",
        alt=f"Tree of the observations by divergence; ringed: {title_of(opened.trajectories.frames, frame)}",
    )


def _options(opened: OpenStudy) -> list[str]:
    return [f"{epsilon:g}" for epsilon in epsilons(opened.report)]


@st.cache_resource(
    max_entries=256, show_spinner=False, hash_funcs={OpenStudy: lambda opened: opened.equivalence.manifest.digest}
)
def _cut(opened: OpenStudy, epsilon: float) -> Level:
    return level_at(opened.report, epsilon)


def _set_epsilon(epsilon: str) -> None:
    st.session_state["epsilon"] = epsilon


def _said(opened: OpenStudy, level: Level) -> str:
    here = plural(level.partition.n_classes, "class", "classes")
    if not level.is_certified:
        return (
            f"**{here} at ε = {level.epsilon:g}**, as the swaps make them. Only those at ε = "
            f"{opened.report.config.epsilon:g} were tried in fresh contexts too."
        )
    scrutiny = opened.report.scrutiny
    if scrutiny is None or not scrutiny.rounds:
        return f"**{here} at the certified ε.**"
    n_broken = sum(each.n_counterexamples for each in scrutiny.rounds)
    unfinished = " The last round still found some: more would break more." * (not opened.report.is_refined_to_the_end)
    return (
        f"**{here} at the certified ε**: {scrutiny.formed.n_classes} as the swaps make them, until "
        f"{plural(n_broken, 'counterexample')} in fresh contexts broke some (dotted in the tree).{unfinished}"
    )
