"""One observation: its picture, its class, its certificate and the window of the worst swap."""

import streamlit as st
from markupsafe import Markup

from app.address import compare_frames
from app.catalogue import OpenStudy
from app.pictures import album, boxed, gallery, title_of
from dtinterp.dataset.windows import window
from dtinterp.equivalence.classes.certificates import Certificate, Total, WorstSwap
from dtinterp.equivalence.classes.failure_bounds import Bound
from dtinterp.equivalence.levels import Level, nearest, nearest_beyond, worst_swap
from dtinterp.features.truth.alignment import shared_facts
from dtinterp.foundation.statistics import Interval
from dtinterp.report.figures.equivalence import neighbours_figure
from dtinterp.report.filmstrip import filmstrip, slot_name, window_slots
from dtinterp.report.style import CONFIG
from dtinterp.report.tables import neighbours
from dtinterp.report.words import bits, count, plural


def show_observation(opened: OpenStudy, level: Level, place: int) -> None:
    """Show the observation in row `place` of the report's chosen frames, and its class at this level."""
    frame = opened.frames[place]
    draw = album(opened.trajectories.frames)
    st.subheader(f"Frame {frame}")
    picture, words = st.columns([2, 3])
    picture.html(boxed("large", draw(frame)))
    with words:
        _show_facts(opened, place)
    _show_class(opened, level, place)
    st.markdown("**Nearest observations**")
    figure = neighbours_figure(neighbours(opened.report, level, place))
    st.plotly_chart(figure, theme=None, config=CONFIG, key="neighbours")
    other = nearest_beyond(opened.report, place, level.epsilon)
    if other is not None:
        st.button(
            f"What keeps it apart from frame {opened.frames[other]}?",
            on_click=compare_frames,
            args=(frame, opened.frames[other]),
            help="The nearest observation that cannot stand in for it within ε: compare the two.",
        )


def show_window(opened: OpenStudy, level: Level, place: int) -> None:
    """Show the window of the swap that came closest to telling the observation's class apart.

    Where it stands alone, the swap with its nearest neighbour is shown: the one that kept them apart.
    """
    label = int(level.partition.label[place])
    worst = level.totals[label].worst or level.certificates[label].worst
    if worst is not None:
        st.markdown("**The swap inside this class that moved the model most**")
        show_swap(opened, worst)
    else:
        st.markdown("**What keeps it apart from its nearest neighbour**")
        show_swap(opened, worst_swap(opened.report, place, nearest(opened.report, place)))


def show_swap(opened: OpenStudy, swap: WorstSwap) -> None:
    """Show the window of a swap, the stand-in below its slot, and what it did."""
    last = opened.tried_on.frame_id.new_tensor([swap.step]).long()
    shown = window(opened.tried_on, last, opened.n_slots)
    st.html(filmstrip(window_slots(shown, swap=swap), album(opened.trajectories.frames)))
    st.caption(
        f"Frame {swap.stand_in} in the place of frame {swap.frame} at {slot_name(shown, swap.slot)} moved the decision "
        f"at {slot_name(shown, swap.decision)} by {bits(swap.divergence)}. "
        f"{opened.report.config.kind.capitalize()} episode {int(opened.tried_on.episode[swap.step])}, "
        f"window ending at step {swap.step}."
    )


def _show_facts(opened: OpenStudy, place: int) -> None:
    chosen, trajectories = opened.report.chosen, opened.trajectories
    n_visits = int(chosen.n_visits[place])
    st.markdown(
        f"Seen at {count(n_visits)} of {count(chosen.n_steps)} {opened.report.config.kind} steps "
        f"({n_visits / chosen.n_steps:.1%})."
    )
    st.caption(title_of(trajectories.frames, int(chosen.frame_id[place])).partition(": ")[2])
    facts = shared_facts(trajectories, chosen.frame_id[place : place + 1])
    st.caption("At every demonstrated step that shows it:")
    st.html(boxed("facts", *(Markup('<span class="fact">{}</span>').format(fact.plain_words) for fact in facts)))


def _show_class(opened: OpenStudy, level: Level, place: int) -> None:
    label = int(level.partition.label[place])
    mates = [member for member in level.partition.members(label).tolist() if member != place]
    epsilon = f"{level.epsilon:g} bits"
    if not mates:
        st.markdown(f"**Class {label}** holds it alone: no other observation can stand in for it within {epsilon}.")
        return
    st.markdown(f"**Class {label}**: {plural(len(mates), 'class-mate')} that can stand in for it within {epsilon}")
    st.html(gallery(album(opened.trajectories.frames), [opened.frames[mate] for mate in mates]))
    _show_certificate(opened, level, level.certificates[label], level.totals[label])


def _show_certificate(opened: OpenStudy, level: Level, certificate: Certificate, total: Total) -> None:
    tiles = (*st.columns(2), *st.columns(2))  # four abreast would cut the numbers off
    formed = f"Of the {count(certificate.n_swaps)} swaps that the class is formed from."
    tiles[0].metric("largest divergence", bits(total.maximum), help=f"Of all swaps tried: it was met in {total.stage}.")
    tiles[1].metric("mean", bits(certificate.mean), help=formed)
    tiles[2].metric("swaps tried", count(total.n_swaps), help=f"{count(certificate.n_swaps)} of them in formation.")
    tiles[3].metric(
        "actions flipped",
        f"{count(certificate.n_flips)} of {count(certificate.n_swaps)}",
        help=f"{formed} It takes little where two actions are nearly as likely.",
    )
    if total.worst is None:
        st.caption(f"The window of the largest divergence, met in {total.stage}, was not kept when this was written.")
    scrutiny = opened.report.scrutiny
    bounds = scrutiny.bounds if level.is_certified and scrutiny is not None else ()
    for bound in bounds:
        if bound.label == certificate.label and bound.share is not None:
            st.caption(_bounded(bound, bound.share, opened.report.config.population))


def _bounded(bound: Bound, share: Interval, population: str) -> str:
    if bound.is_exact:
        return (
            f"**Exact**: all {count(share.n)} {population} of its observations were tried, and it failed in "
            f"{count(bound.n_failures)} of them."
        )
    return (
        f"In {count(bound.n_contexts)} contexts that it was not made from, it failed in {bound.n_failures}: at 95%, it "
        f"fails in at most {share.high:.0%} of all its {population}."
    )
