"""One observation becomes its picture, its class-mates, its certificate and the window of the worst swap."""

import streamlit as st

from app.library import OpenStudy
from app.pictures import album, gallery, title_of
from dtinterp.dataset.windows import window
from dtinterp.report.evidence import bits, count, plural
from dtinterp.report.figures.equivalence import neighbours_figure
from dtinterp.report.filmstrip import filmstrip
from dtinterp.report.html import element, join
from dtinterp.report.pairs import nearest, worst_swap
from dtinterp.report.shared_facts import shared_facts
from dtinterp.report.style import CONFIG


def show_observation(opened: OpenStudy, place: int) -> None:
    """Show the observation in row `place` of the report's chosen frames."""
    frame = int(opened.report.chosen.frame_id[place])
    draw = album(opened.trajectories.frames)
    st.subheader(f"Frame {frame}")
    picture, words = st.columns([2, 3])
    picture.html(element("div", draw(frame), class_="large"))
    with words:
        _show_facts(opened, place)
    _show_class(opened, place)


def show_window(opened: OpenStudy, place: int) -> None:
    """Show the window of the swap that came closest to telling the observation's class apart.

    Where it stands alone, the swap with its nearest neighbour is shown: the one that kept them apart.
    """
    report = opened.report
    certificate = report.certificates[int(report.partition.label[place])]
    if certificate.worst is not None:
        swap = certificate.worst
        st.markdown("**The swap inside this class that moved the model most**")
    else:
        swap = worst_swap(report, place, nearest(report, place))
        st.markdown("**What keeps it apart from its nearest neighbour**")
    last = opened.trajectories.frame_id.new_tensor([swap.step]).long()
    st.html(filmstrip(window(opened.trajectories, last, opened.n_slots), album(opened.trajectories.frames), swap=swap))
    st.caption(
        f"Frame {swap.stand_in} in the place of frame {swap.frame} at slot {swap.slot + 1} of {opened.n_slots} moved the "
        f"decision at slot {swap.decision + 1} by {bits(swap.divergence)}. Held-out episode "
        f"{int(opened.trajectories.episode[swap.step])}, window ending at step {swap.step}."
    )


def _show_facts(opened: OpenStudy, place: int) -> None:
    chosen, trajectories = opened.report.chosen, opened.trajectories
    n_visits = int(chosen.n_visits[place])
    st.markdown(
        f"Seen at {count(n_visits)} of {count(chosen.n_steps)} held-out steps ({n_visits / chosen.n_steps:.1%})."
    )
    st.caption(title_of(trajectories.frames, int(chosen.frame_id[place])).partition(": ")[2])
    facts = shared_facts(trajectories, chosen.frame_id[place : place + 1])
    st.caption("At every demonstrated step that shows it:")
    st.html(element("div", join(element("span", fact.label, class_="fact") for fact in facts), class_="facts"))


def _show_class(opened: OpenStudy, place: int) -> None:
    report = opened.report
    label = int(report.partition.label[place])
    certificate = report.certificates[label]
    mates = [member for member in report.partition.members(label).tolist() if member != place]
    epsilon = f"{report.config.epsilon:g} bits"
    if not mates:
        st.markdown(f"**Class {label}** holds it alone: no other observation can stand in for it within {epsilon}.")
    else:
        st.markdown(f"**Class {label}**: {plural(len(mates), 'class-mate')} that can stand in for it within {epsilon}")
        st.html(gallery(album(opened.trajectories.frames), report.chosen.frame_id[mates].tolist()))
        tiles = st.columns(4)
        tiles[0].metric("largest divergence", bits(certificate.maximum))
        tiles[1].metric("mean", bits(certificate.mean))
        tiles[2].metric("swaps tried", count(certificate.n_swaps))
        tiles[3].metric("actions flipped", count(certificate.n_flips))
    st.markdown("**Nearest observations**")
    st.plotly_chart(neighbours_figure(report, place), theme=None, config=CONFIG, key="neighbours")
